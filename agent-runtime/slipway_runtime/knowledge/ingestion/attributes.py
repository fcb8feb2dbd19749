"""What searches can be narrowed by: the attributes of a chunk, from what is known of its document and its record.

Back ends hold scalars and lists of text. What is neither, and what is too much, is left out and named.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from slipway_runtime.knowledge.vectors.filters import Attributes, Scalar

OWN = ("source", "document")
"""Attributes that every chunk has, so that no document can say where it comes from."""
MOST = 32
NAME_MAX = 64
TEXT_MAX = 256
LIST_MAX = 32
LARGEST = 2**53
"""Whole numbers beyond are not exact in every back end."""


class LeftOut(ValueError):
    """A value that is no attribute; the message says why."""


def scalar(value: object) -> Scalar:
    """A value as back ends hold it. Dates become ISO 8601.

    Raises:
        LeftOut: if it is no scalar, or too large.
    """
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        text = value.encode("utf-8", "replace").decode("utf-8").replace("\0", "")
        if len(text) > TEXT_MAX:
            raise LeftOut(f"longer than {TEXT_MAX} characters")
        return text
    if isinstance(value, int) and (isinstance(value, bool) or abs(value) <= LARGEST):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise LeftOut("a number that is too large" if isinstance(value, int | float) else "neither a scalar nor a list")


def attribute(value: object) -> Scalar | Sequence[str]:
    """A value as back ends hold it; of a list, its elements as text.

    Raises:
        LeftOut: if it is no attribute.
    """
    if not isinstance(value, list | tuple):
        return scalar(value)
    if len(value) > LIST_MAX:
        raise LeftOut(f"a list of more than {LIST_MAX}")
    if not all(isinstance(each, str | date) for each in value):
        raise LeftOut("a list of something other than text")
    return [str(scalar(each)) for each in value]


def bounded(metadata: Mapping[str, object], *, room: int = MOST) -> tuple[dict[str, Any], list[str]]:
    """What of a document's metadata becomes attributes, and a sentence for each entry that does not. What is null is
    neither."""
    kept: dict[str, Any] = {}
    reasons: list[str] = []
    for name, value in metadata.items():
        if value is None or value in ("", []):
            continue
        try:
            _check_name(name)
            if len(kept) >= room:
                raise LeftOut(f"there are more than {MOST}")
            kept[name] = attribute(value)
        except LeftOut as error:
            reasons.append(f"{name[:NAME_MAX]}: {error}")
    return kept, reasons


def _check_name(name: str) -> None:
    if name in OWN:
        raise LeftOut("every document has it from Slipway")
    if not name.strip() or len(name) > NAME_MAX or not name.isprintable():
        raise LeftOut(f"its name is empty, not printable or longer than {NAME_MAX} characters")


def attributes_of(
    *, source: str, document: str, metadata: Mapping[str, object], columns: Sequence[Mapping[str, Scalar]]
) -> Iterator[Attributes]:
    """The attributes of each chunk of a document.

    Args:
        columns: what the record of each chunk says, which comes before what the document says.
    """
    common, _ = bounded(metadata)
    for own in columns:
        record, _ = bounded(own)
        rest = dict(list(common.items())[: MOST - len(record)])
        yield {**rest, **record, "source": source, "document": document}
