"""Where a process finds the code of plugins around its agents."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from slipway_crds.contract import AGENT_PLUGINS_DIR
from slipway_crds.runtimeconfig import MiddlewareConfig
from slipway_runtime.addresses import AddressRule


@dataclass(frozen=True)
class PluginPlaces:
    """Folders, and addresses.

    Args:
        folder_of: the folder with the files of a Plugin: of the agent's namespace, and the entry that names it.
        reach: the addresses that code may be fetched from.
    """

    folder_of: Callable[[str, MiddlewareConfig], Path] = lambda _, entry: Path(AGENT_PLUGINS_DIR, entry.name)
    reach: AddressRule = field(default_factory=lambda: AddressRule(private=True))
