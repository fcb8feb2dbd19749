"""What a gateway or a connector found out of a Plugin's server. A connector is a tenant's pod, so nothing is trusted:
of its answer only known fields are taken, each up to a length."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway_crds.contract import SERVER_FAILED
from slipway_crds.plugins.metadata import PluginMetadata, checked_or_none
from slipway_crds.plugins.model import TOOLS_SHOWN

ERAS = ("2025-11-25", "2026-07-28")
MOST_TOOLS = 1_000_000
WORD = 64
SENTENCE = 1000
NAME = 128


@dataclass(frozen=True)
class ServerReport:
    """What is known of a server."""

    era: str | None = None
    version: str | None = None
    tools: tuple[str, ...] = ()
    """The first hundred names."""
    count: int | None = None
    note: str = ""
    """What of the tools is left out."""
    reason: str = ""
    """Of what went wrong last; empty while all is well."""
    error: str = ""
    metadata: PluginMetadata | None = None
    """What the plugin's code says of it."""

    @property
    def well(self) -> bool:
        """Whether the server answered when it was asked last."""
        return self.era is not None and not self.reason


def read_report(answer: Mapping[str, Any]) -> ServerReport | None:
    """The report in an answer; None if there is none."""
    era, count, tools = answer.get("era"), answer.get("toolCount"), answer.get("tools")
    reason = _text(answer.get("reason"), WORD)
    if era not in ERAS and not reason:
        return None
    names = [_text(each, NAME) for each in tools[:TOOLS_SHOWN]] if isinstance(tools, list) else []
    known = isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= MOST_TOOLS
    return ServerReport(
        era=era if era in ERAS else None,
        version=_text(answer.get("protocolVersion"), 32) or None,
        tools=tuple(filter(None, names)),
        count=count if known else None,
        note=_text(answer.get("note"), SENTENCE),
        reason=reason if reason.isalnum() and reason.isascii() else SERVER_FAILED if reason else "",
        error=_text(answer.get("error"), SENTENCE),
        metadata=checked_or_none(answer.get("metadata")),
    )


def _text(value: object, most: int) -> str:
    """One line of it; empty if it is no text."""
    if not isinstance(value, str):
        return ""
    return "".join(each if each.isprintable() else " " for each in value[:most]).strip()
