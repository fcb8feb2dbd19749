"""Chunks found by their words: one table, an index of its own kind in each engine, whatever the vectors are kept in.

Terms are made by `knowledge/terms.py` and hold letters and digits only, so no quoting is needed beyond what is here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from slipway_runtime.store.database import Database, Engine, Value, placeholders
from slipway_runtime.store.documents import Build, Presence, present_chunks

COMMON = 1000
"""A term that so many chunks have is common: more are not counted."""
MOST_TERMS = 32
"""Terms of a question that are looked for."""
TERMS_AT_ONCE = 4
"""Terms are weighed in multiples of so many."""
IDS_AT_ONCE = 8
"""Ids are looked for in multiples of so many."""
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
    asked = _heaviest(weights)
    if not asked:
        return []
    if database.engine == "sqlite":
        return await _in_sqlite(database, build, asked, count, narrowed)
    sql, values = _in_postgres(build, asked, count, narrowed)
    return [str(row["id"]) for row in await database.fetch(f"{sql} ORDER BY rank, id", *values)]


async def search_present(
    database: Database,
    build: Build,
    weights: Mapping[str, float],
    count: int,
    ids: Sequence[str],
    narrowed: Narrowing | None = None,
) -> tuple[list[str], Presence]:
    """What `search_terms` finds, and what `present_chunks` reports about that and `ids`: one statement in Postgres.

    Args:
        ids: of chunks that were found otherwise.

    Returns:
        The ids, best first, and what is there. The latter is about this build only where agents read it.
    """
    asked = _heaviest(weights)
    if not asked or database.engine == "sqlite":
        found = await search_terms(database, build, asked, count, narrowed)
        return found, await present_chunks(database, build.index, [*ids, *found])
    by_words, values = _in_postgres(build, asked, count, narrowed)
    padded = [*ids, *[*ids[-1:]] * (-len(ids) % IDS_AT_ONCE)]  # so that there are few statements to prepare
    others = (
        " UNION ALL SELECT c.id, NULL, NULL FROM chunks c WHERE c.index_name = CAST($1 AS TEXT)"
        f" AND c.revision = CAST($2 AS TEXT) AND c.id IN ({placeholders(len(values) + 1, len(padded))})"
        if ids
        else ""
    )
    rows = await database.fetch(
        "SELECT p.revision, p.search, f.id, f.place FROM (SELECT 1) one"
        " LEFT JOIN index_pointers p ON p.index_name = CAST($1 AS TEXT) LEFT JOIN ("
        f"SELECT w.id, w.rank, row_number() OVER (ORDER BY w.rank, w.id) AS place FROM ({by_words}) w{others}"
        ") f ON TRUE ORDER BY f.place",
        *values,
        *padded,
    )
    found = [str(row["id"]) for row in rows if row["place"] is not None]
    if rows[0]["revision"] is None:
        return found, Presence(None)
    present = frozenset(str(row["id"]) for row in rows if row["id"] is not None)
    return found, Presence(str(rows[0]["revision"]), str(rows[0]["search"]), present)


def _heaviest(weights: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(weights.items(), key=lambda each: -each[1])[:MOST_TERMS])


async def _in_sqlite(
    database: Database, build: Build, weights: Mapping[str, float], count: int, narrowed: Narrowing | None
) -> list[str]:
    """The ids. Where they are narrowed each row is looked at, best first. FTS5 has a score of its own, best lowest."""
    rows = await database.fetch(
        f"SELECT c.id, c.attributes FROM {_source('sqlite')} WHERE {_has('sqlite', '$3')}"
        f" ORDER BY bm25(chunk_terms), c.id{f' LIMIT {int(count)}' if narrowed is None else ''}",
        build.index,
        build.revision,
        _query("sqlite", build, list(weights)),
    )
    kept = (row for row in rows if narrowed is None or narrowed.fits(str(row["attributes"])))
    return [str(row["id"]) for row in islice(kept, count)]


def _in_postgres(
    build: Build, weights: Mapping[str, float], count: int, narrowed: Narrowing | None
) -> tuple[str, list[Value]]:
    """A query of the columns `id` and `rank`, lowest best, with its parameters."""
    values: list[Value] = [build.index, build.revision, _query("postgres", build, list(weights))]
    where = _has("postgres", "$3")
    if narrowed is not None:
        where = f"{where} AND ({narrowed.sql})"
        values += narrowed.values
    score, weighed = _score(weights, first=len(values) + 1)
    return (
        f"SELECT id, rank FROM (SELECT c.id, {score} AS rank FROM chunks c WHERE {where}"
        f" ORDER BY rank, c.id LIMIT {int(count)}) best",
        [*values, *weighed],
    )


async def fitting_documents(database: Database, build: Build, narrowed: Narrowing) -> list[tuple[str, str]]:
    """Source and name of the documents of a build that have a chunk that fits, in that order."""
    build_is, by_row = "c.index_name = $1 AND c.revision = $2", database.engine == "sqlite"
    columns = "c.source, c.document, c.attributes" if by_row else "DISTINCT c.source, c.document"
    where = "" if by_row else f" AND ({narrowed.sql})"
    rows = await database.fetch(
        f"SELECT {columns} FROM chunks c WHERE {build_is} AND CAST($3 AS TEXT) = ''{where} ORDER BY 1, 2",
        build.index,
        build.revision,
        "",  # the parameters of a narrowing begin after it
        *(() if by_row else narrowed.values),
    )
    kept = (row for row in rows if not by_row or narrowed.fits(str(row["attributes"])))
    return list(dict.fromkeys((str(row["source"]), str(row["document"])) for row in kept))


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


def _score(weights: Mapping[str, float], *, first: int) -> tuple[str, list[Value]]:
    """What to sort by in Postgres: the weights of the terms that a chunk has.

    Weights are parameters, and terms of weight zero make their number one of a few: Postgres prepares a statement once,
    and a statement with weights in it would be prepared for each question anew.

    Args:
        first: number of the first parameter that is free.
    """
    terms = list(weights.items())
    terms += [(terms[-1][0], 0.0)] * (-len(terms) % TERMS_AT_ONCE)
    parts = (
        f"CASE WHEN c.lexemes @@ CAST(${place} AS tsquery) THEN CAST(${place + 1} AS BIGINT) ELSE 0 END"
        for place in range(first, first + 2 * len(terms), 2)
    )
    values: list[Value] = []
    for term, weight in terms:
        values += [f"'{term}'", round(weight * WEIGHT_UNITS)]
    return f"-({' + '.join(parts)})", values
