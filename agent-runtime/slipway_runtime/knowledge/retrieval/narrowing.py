"""A filter for the search by words: as SQL where the engine has JSON that it compares, else row by row."""

import orjson

from slipway_runtime.knowledge.vectors.filters import Filter, check, holds
from slipway_runtime.knowledge.vectors.sql_filters import OPERATORS, SqlFilter
from slipway_runtime.store.lexical import FIRST_OF_NARROWING, Narrowing


def narrowing(where: Filter) -> Narrowing:
    """What leaves the chunks whose attributes fit.

    Raises:
        UnsupportedFilter: for a number that is not finite.
    """
    check(where, OPERATORS, "the search by words")
    condition = SqlFilter(where, column="CAST(c.attributes AS jsonb)", first=FIRST_OF_NARROWING)
    return Narrowing(condition.sql, tuple(condition.args), lambda attributes: holds(where, orjson.loads(attributes)))
