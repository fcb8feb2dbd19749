"""Addresses of an agent's documents: `agent://documents/{doc_id}`."""

import re
from typing import NamedTuple
from urllib.parse import quote, unquote

TEMPLATE = "agent://documents/{doc_id}"
_START = TEMPLATE.removesuffix("{doc_id}")
_ID = re.compile("([^~]+)~([^~]+)~(.+)", re.DOTALL)


class DocumentId(NamedTuple):
    """Where a document is: the entry of the agent's knowledge, the source within its index, and its name there."""

    knowledge: str
    source: str
    document: str

    def __str__(self) -> str:
        return "~".join(self)

    @property
    def uri(self) -> str:
        """The address."""
        return _START + quote(str(self), safe="~")

    @classmethod
    def parse(cls, uri: str) -> "DocumentId | None":
        """What an address names; None for what is no address of a document."""
        found = _ID.fullmatch(unquote(uri.removeprefix(_START))) if uri.startswith(_START) else None
        return cls(*found.groups()) if found else None
