"""From a plugin's bytes, which have been checked, to what it provides."""

from pathlib import Path
from typing import Literal

from slipway_crds.fields import parse_duration, parse_quantity
from slipway_crds.plugins.model import Plugin
from slipway_runtime.plugins.loading.code import CallLimits, PluginCode
from slipway_runtime.plugins.loading.code_plugin import CodePlugin
from slipway_runtime.plugins.loading.failures import PluginBroken, PluginCallFailed, told
from slipway_runtime.plugins.loading.isolation import Isolated

LOAD_SECONDS = 60.0
"""For an import, or a compilation."""


async def load_isolated(plugin: Plugin, content: bytes, *, folder: Path) -> CodePlugin:
    """Load a plugin apart from the process's event loop, which a slow import would hold up.

    Args:
        content: as for `load_code`.
        folder: likewise.

    Raises:
        PluginBroken: if it cannot be loaded, or not in time.
    """
    loading = Isolated(plugin.metadata.name)
    try:
        loaded = await loading.call(_load, plugin, content, folder, seconds=LOAD_SECONDS)
    except PluginCallFailed as error:
        if isinstance(error.__cause__, PluginBroken):
            raise error.__cause__ from None
        why = told(error.__cause__) if error.__cause__ is not None else str(error)
        raise PluginBroken(f"loading it failed: {why}") from None
    assert isinstance(loaded, CodePlugin)
    return loaded


def _load(plugin: Plugin, content: bytes, folder: Path) -> CodePlugin:
    folder.mkdir(parents=True, exist_ok=True)
    return load_code(code_of(plugin), content, folder=folder)


def code_of(plugin: Plugin) -> PluginCode:
    """What a loader has to know of a Plugin of type `python` or `wasm`."""
    spec, name = plugin.spec, plugin.metadata.name
    if spec.wasm is not None:
        limits = spec.wasm.limits
        seconds = parse_duration(limits.timeout).total_seconds()
        bounds = CallLimits(limits.fuel, int(parse_quantity(limits.memory)), seconds)
        return PluginCode(name, "wasm", limits=bounds, config=spec.config or {})
    assert spec.python is not None, "plugins of other types have no code"
    form: Literal["wheel", "module"] = "wheel" if spec.python.wheel else "module"
    return PluginCode(name, form, entry=spec.python.entry or "", config=spec.config or {})


def load_code(code: PluginCode, content: bytes, *, folder: Path) -> CodePlugin:
    """Load a plugin. Runs its code.

    Args:
        content: the module, wheel or WebAssembly module.
        folder: where a wheel is unpacked; of this plugin alone.

    Raises:
        PluginBroken: if it cannot be loaded.
    """
    if code.form == "wasm":
        from slipway_runtime.plugins.wasm_plugins.plugin import wasm_plugin

        return wasm_plugin(code, content)
    from slipway_runtime.plugins.python_plugins.plugin import python_plugin

    return python_plugin(code, content, folder=folder)
