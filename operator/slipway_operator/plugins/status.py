"""What a Plugin's status says."""

from dataclasses import dataclass

from slipway_crds.contract import (
    DIGEST_MISMATCH,
    FORBIDDEN_ADDRESS,
    INVALID_DOCUMENT,
    KEY_EXPIRED,
    KEY_INVALID,
    PLUGIN_FAILED,
    SERVER_FAILED,
    SIGNATURE_INVALID,
    UNSUPPORTED_VERSION,
)
from slipway_crds.plugins.dependencies import DependencyProblem
from slipway_crds.plugins.metadata import PluginMetadata
from slipway_operator.core.cache import Resource
from slipway_operator.core.conditions import Statement, Trouble, conditions, standing
from slipway_operator.core.manifests import JsonObject
from slipway_operator.core.plan import observed_conditions
from slipway_operator.plugins.reports import ServerReport
from slipway_operator.plugins.users import PluginUser, users_json

LOOK_SECONDS = 30.0
SOON_SECONDS = 5.0
"""Until something is known."""
NOT_TRUSTED = frozenset({DIGEST_MISMATCH, SIGNATURE_INVALID, KEY_EXPIRED, KEY_INVALID})
TO_EDIT = frozenset({FORBIDDEN_ADDRESS, UNSUPPORTED_VERSION, INVALID_DOCUMENT, PLUGIN_FAILED}) | NOT_TRUSTED
"""What only an edit of the Plugin, of what it loads, or of its server, fixes."""


@dataclass(frozen=True, kw_only=True)
class PluginStanding:
    """What the status is about."""

    resource: Resource
    url: str
    report: ServerReport | None
    """None: nobody has looked at the server yet, or who has does not answer."""
    connector: bool
    available: bool = True
    """Whether the connector is."""
    trouble: Trouble | None = None
    """Of the connector's pods, or with the signature of an image."""
    verified: bool = True
    """Whether what is to run may run."""
    metadata: PluginMetadata | None = None
    """What is known of the plugin."""
    dependencies: tuple[DependencyProblem, ...] = ()
    """What of the plugins that it needs is missing or does not fit."""
    version: str = ""
    """Of what it does now."""
    users: tuple[PluginUser, ...] = ()
    """The agents that refer to it."""
    store_problem: str = ""
    """Of the store, where the plugin uses it."""


def plugin_status(plugin: PluginStanding, *, now: float) -> tuple[JsonObject, float]:
    """The status, and in how many seconds to look again."""
    ready, report = _ready(plugin), plugin.report
    trouble = plugin.trouble
    if trouble is None and ready.reason in TO_EDIT:
        trouble = Trouble(ready.reason, ready.message)
    if trouble is None and any(not each.waiting for each in plugin.dependencies):
        trouble = Trouble(ready.reason, ready.message)
    statements, phase = standing(ready, trouble=trouble, progress=None)
    statements.append(Statement("Reachable", ready.holds, ready.reason, ready.message))
    if report is not None and report.well and report.note:
        statements.append(Statement("ToolsLimited", True, "ToolsLeftOut", f"{_sentence(report.note)}"))
    resource = plugin.resource
    observed = resource.status
    status: JsonObject = {
        "observedGeneration": resource.generation,
        "phase": phase,
        "url": plugin.url,
        "metadata": _metadata(plugin.metadata),
        "version": plugin.version or None,
        "agents": users_json(plugin.users) or None,
        "conditions": conditions(
            statements, observed=observed_conditions(resource), generation=resource.generation, now=now
        ),
    }
    if report is not None:
        status |= {
            "era": report.era,
            "protocolVersion": report.version,
            "toolCount": report.count,
            "tools": list(report.tools),
            "lastError": report.error or None,
        }
    else:  # what was known is known until somebody says otherwise
        kept = ("era", "protocolVersion", "toolCount", "tools", "lastError")
        status |= {name: observed[name] for name in kept if observed.get(name) is not None}
    given = {name: value for name, value in status.items() if value is not None}
    return given, LOOK_SECONDS if report is not None and report.well else SOON_SECONDS


def _ready(plugin: PluginStanding) -> Statement:
    report = plugin.report
    if plugin.dependencies:
        first = min(plugin.dependencies, key=lambda each: each.waiting)
        said = "; ".join(each.message for each in plugin.dependencies if each.reason == first.reason)
        return Statement("Ready", False, first.reason, _sentence(said))
    if plugin.store_problem and not plugin.available:
        return Statement("Ready", False, "WaitingForStore", plugin.store_problem)
    if plugin.trouble is not None and not (plugin.available and plugin.verified):
        return Statement("Ready", False, plugin.trouble.reason, plugin.trouble.message)
    if not plugin.verified:
        return Statement("Ready", False, "VerifyingSignature", "A Job verifies the signature of the image.")
    if plugin.connector and not plugin.available:
        return Statement("Ready", False, "WaitingForConnector", "The connector's pod is not ready yet.")
    if report is None:
        said = "has not said yet what it found out of the server."
        if plugin.connector:
            return Statement("Ready", False, "WaitingForConnector", f"The connector {said}")
        return Statement("Ready", False, "WaitingForGateway", f"The gateway {said}")
    if not report.well:
        return Statement("Ready", False, report.reason or SERVER_FAILED, _sentence(report.error))
    tools = "1 tool" if report.count == 1 else f"{report.count or 0} tools"
    return Statement("Ready", True, "Serving", f"The server speaks MCP {report.version} and has {tools}.")


def _metadata(metadata: PluginMetadata | None) -> JsonObject | None:
    return metadata.model_dump(mode="json", by_alias=True, exclude_none=True) if metadata else None


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else "The server failed."
