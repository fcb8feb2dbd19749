"""Chunks found by their words: one table, an index of its own kind in each engine, whatever the vectors are kept in.

Terms are made by `knowledge/terms.py` and hold letters and digits only, so no quoting is needed beyond what is here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from slipway_runtime.store.database import Database, Engine, Value
from slipway_runtime.store.documents import Build

COMMON = 1000
"""A term that so many chunks have is common: more are not counted."""
MOST_TERMS = 32
"""Terms of a question that are looked for."""
TERMS_AT_ONCE = 4
"""Terms are weighed in multiples of so many."""
WEIGHT_UNITS = 10_000
"""Weights are counted in such parts, so that their sums are exact."""


@dataclass(frozen=True)
class Narrowing:
    """What the attributes of chunks have to be, in two forms."""

    sql: str
    """For Postgres, over the chunk `c`; its parameters begin at `FIRST_OF_NARROWING`."""
    values: tuple[Value, ...]
    fits: Callable[[str], bool]
    """For SQLite, row by row: whether the attributes, as JSON, fit."""


async def frequencies(database: Database, build: Build, terms: Sequence[str]) -> dict[str, int]:
    """How many chunks of a build have each term, counted up to `COMMON`."""
    asked = terms[:MOST_TERMS]
    if not asked:
        return {}
    engine = database.engine
    counts = (
        f"(SELECT count(*) FROM (SELECT 1 FROM {_counted(engine, f'${place}')} LIMIT {COMMON}) t) AS n{place}"
        for place in range(3, 3 + len(asked))
    )
    queries = [_query(engine, build, [term]) for term in asked]
    rows = await database.fetch(f"SELECT {', '.join(counts)}, $1 AS i, $2 AS r", build.index, build.revision, *queries)
    return {term: int(rows[0][f"n{place}"] or 0) for place, term in enumerate(asked, start=3)}


async def search_terms(
    database: Database, build: Build, weights: Mapping[str, float], count: int, narrowed: Narrowing | None = None
) -> list[str]:
    """Ids of the chunks of a build that have most of the terms, best first.

    Args:
        weights: what each term weighs.
        narrowed: what the chunk must be besides.
    """
    asked = dict(sorted(weights.items(), key=lambda each: -each[1])[:MOST_TERMS])
    if not asked:
        return []
    engine = database.engine
    values: tuple[Value, ...] = (build.index, build.revision, _query(engine, build, list(asked)))
    where, limit = _has(engine, "$3"), f" LIMIT {int(count)}"
    if narrowed is not None and engine == "postgres":
        where, values = f"{where} AND ({narrowed.sql})", (*values, *narrowed.values)
    score, weighed = _score(engine, asked, first=len(values) + 1)
    by_row = narrowed if engine == "sqlite" else None
    rows = await database.fetch(
        f"SELECT c.id{', c.attributes' if by_row else ''} FROM {_source(engine)} WHERE {where}"
        f" ORDER BY {score}, c.id{'' if by_row else limit}",
        *values,
        *weighed,
    )
    kept = (row for row in rows if by_row is None or by_row.fits(str(row["attributes"])))
    return [str(row["id"]) for row in islice(kept, count)]


FIRST_OF_NARROWING = 4


def _source(engine: Engine) -> str:
    return "chunks c" if engine == "postgres" else "chunk_terms f JOIN chunks c ON c.rowid = f.rowid"


def _counted(engine: Engine, query: str) -> str:
    """The chunks that fit a query, to be counted. SQLite's index has the build too, so no chunk need be read."""
    if engine == "postgres":
        return f"{_source(engine)} WHERE {_has(engine, query)}"
    return f"chunk_terms WHERE chunk_terms MATCH {query}"


def _has(engine: Engine, query: str) -> str:
    """Whether a chunk of the build ($1, $2) fits a query."""
    build = "c.index_name = CAST($1 AS TEXT) AND c.revision = CAST($2 AS TEXT)"
    if engine == "postgres":
        return f"c.lexemes @@ CAST(CAST({query} AS TEXT) AS tsquery) AND {build}"
    return f"chunk_terms MATCH {query} AND {build}"


def _query(engine: Engine, build: Build, terms: Sequence[str]) -> str:
    """Any of the terms, as the engine writes it, together with the build, which its index has as well."""
    if engine == "sqlite":
        words = " OR ".join(f'"{term}"' for term in terms)
        return f'({words}) AND "b{f"{build.index}/{build.revision}".encode().hex()}"'
    words = " | ".join(f"'{term}'" for term in terms)
    return f"'/{build.index}/{build.revision}' & ({words})"


def _score(engine: Engine, weights: Mapping[str, float], *, first: int) -> tuple[str, list[Value]]:
    """What to sort by: the weights of the terms that a chunk has. FTS5 has a score of its own, BM25, best lowest.

    Weights are parameters, and terms of weight zero make their number one of a few: Postgres prepares a statement once,
    and a statement with weights in it would be prepared for each question anew.

    Args:
        first: number of the first parameter that is free.
    """
    if engine == "sqlite":
        return "bm25(chunk_terms)", []
    terms = list(weights.items())
    terms += [(terms[-1][0], 0.0)] * (-len(terms) % TERMS_AT_ONCE)
    parts = (
        f"CASE WHEN c.lexemes @@ CAST(${place} AS tsquery) THEN CAST(${place + 1} AS BIGINT) ELSE 0 END"
        for place in range(first, first + 2 * len(terms), 2)
    )
    return f"-({' + '.join(parts)})", [
        value for term, weight in terms for value in (f"'{term}'", round(weight * WEIGHT_UNITS))
    ]
