"""The row of the kind `Plugin`."""

from collections.abc import Iterator, Mapping
from typing import Any

from slipway_crds.meta import PLUGIN_LABEL
from slipway_crds.owners import Known, OwnerKind
from slipway_crds.plugins.dependencies import dependencies_of, dependency_problems
from slipway_crds.plugins.metadata import checked_or_none
from slipway_crds.plugins.model import Plugin
from slipway_crds.references import Ref, ref_to
from slipway_crds.resolve import ResolveProblem, Severity


def _references(plugin: Plugin) -> Iterator[Ref]:
    for name in dependencies_of(plugin.spec.metadata):
        yield Ref("Plugin", plugin.metadata.namespace, name)


def _missing(plugin: Plugin, known: Known) -> Iterator[ResolveProblem]:
    """As far as manifests say it: code may need more, and know its version."""
    here = ("Plugin", plugin.metadata.namespace)
    plugins = {
        ref.name: found.spec.metadata
        for ref, found in known.objects.items()
        if (ref.kind, ref.namespace) == here and isinstance(found, Plugin)
    }
    for each in dependency_problems(plugin.metadata.name, {**plugins, plugin.metadata.name: plugin.spec.metadata}):
        severity = Severity.WAITING if each.waiting else Severity.STALLED
        path = "spec.metadata.dependencies"
        yield ResolveProblem(severity, str(ref_to(plugin)), path, each.reason, each.message)


def _facts(status: Mapping[str, Any]) -> Mapping[str, object]:
    # Agents whose pods run the plugin's code decide by its version: another one is another revision of theirs.
    return {"metadata": checked_or_none(status.get("metadata")), "version": status.get("version")}


PLUGIN = OwnerKind(
    model=Plugin, label=PLUGIN_LABEL, references=_references, missing=_missing, facts=_facts, serves=True
)
"""The `Plugin` kind: tools that others serve, and that agents and callers use through the gateway."""
