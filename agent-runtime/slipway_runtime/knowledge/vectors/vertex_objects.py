"""How chunks, their attributes and filters are written in Vertex AI Vector Search 2.0."""

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from slipway_crds.contract import key_fingerprint
from slipway_runtime.knowledge.embedding.embedder import Vector
from slipway_runtime.knowledge.vectors.filters import Attributes, Operator, Order, UnsupportedFilter
from slipway_runtime.knowledge.vectors.terms import Clause, ordered, terms

OPERATORS: frozenset[Operator] = frozenset(
    ("eq", "gt", "gte", "lt", "lte", "in", "contains_any", "exists", "and", "or")
)
OBJECT_ID = re.compile(r"[a-z0-9]{1,60}")
Json = dict[str, Any]


class VertexGrammar:
    """See `Grammar`.

    Args:
        declared: fields of numbers that the schema has; of another one, no chunk has a value. None: all.
    """

    def __init__(self, declared: frozenset[str] | None) -> None:
        self._declared = declared

    def any_term(self, terms: Sequence[str]) -> Clause:
        """See `Grammar`."""
        clauses = [{"terms": {"$all": [each]}} for each in terms]
        return clauses[0] if len(clauses) == 1 else {"$or": clauses}

    def order(self, field: str, op: Order, value: str | float) -> Clause | bool:
        """See `Grammar`."""
        if isinstance(value, str):
            raise UnsupportedFilter(f"Vertex AI Vector Search has {op} for numbers only: compare texts with eq or in")
        name = number_field(field)
        return {name: {f"${op}": value}} if self._declared is None or name in self._declared else False

    def both(self, parts: Sequence[Clause]) -> Clause:
        """See `Grammar`."""
        return {"$and": list(parts)}

    def either(self, parts: Sequence[Clause]) -> Clause:
        """See `Grammar`."""
        return {"$or": list(parts)}

    def negated(self, part: Clause) -> Clause:
        """See `Grammar`."""
        raise UnsupportedFilter(
            "Vertex AI Vector Search has no negation: say which values are wanted, with in or exists"
        )


def collection_id(collection: str) -> str:
    """The id of a collection at the service, which takes 63 letters, digits and hyphens."""
    return f"slipway-{key_fingerprint(collection)}"


def object_id(id_: str) -> str:
    """The id of an object likewise."""
    return f"c-{id_}" if OBJECT_ID.fullmatch(id_) else f"h-{hashlib.sha256(id_.encode()).hexdigest()[:60]}"


def number_field(name: str) -> str:
    """The field of an attribute that is a number, by its escaped name; fields have letters, digits, `_` and `-`."""
    return f"n-{name.encode().hex()}"


def described(id_: str, attributes: Attributes) -> Json:
    numbers = {name: value for name, value in ordered(attributes).items() if not isinstance(value, str)}
    return {"id": id_, "terms": terms(attributes), **{number_field(name): value for name, value in numbers.items()}}


def stored_object(parent: str, id_: str, vector: Vector, data: Json) -> Json:
    return {
        "name": f"{parent}/dataObjects/{object_id(id_)}",
        "data": data,
        "vectors": {"embedding": {"dense": {"values": vector.tolist()}}},
    }


def data_schema(fields: frozenset[str]) -> Json:
    properties: Json = {"id": {"type": "string"}, "terms": {"type": "array", "items": {"type": "string"}}}
    return {"type": "object", "properties": properties | {field: {"type": "number"} for field in sorted(fields)}}
