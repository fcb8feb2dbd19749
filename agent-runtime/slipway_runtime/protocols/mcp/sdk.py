"""What the MCP SDK shares between clients and servers, without the rest of it.

`import mcp.shared.inbound` runs `mcp/__init__.py` first, which imports every client, server and transport. That takes a
gateway longer than all of its own modules. The two modules here import nothing but `mcp_types`.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING


def _alone(name: str) -> ModuleType:
    """A module of `mcp.shared` by its file, under a name of ours. Raises ImportError or OSError if there is none."""
    package = importlib.util.find_spec("mcp")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("there is no package mcp: install it as requirements/ pins it")
    path = Path(package.submodule_search_locations[0], "shared", f"{name}.py")
    own_name = f"{__name__}.{name}"
    spec = importlib.util.spec_from_file_location(own_name, path)
    assert spec is not None  # as for every .py file
    assert spec.loader is not None
    module = sys.modules[own_name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if TYPE_CHECKING:
    from mcp.shared import inbound, subscriptions
else:
    inbound, subscriptions = _alone("inbound"), _alone("subscriptions")

__all__ = ["inbound", "subscriptions"]
