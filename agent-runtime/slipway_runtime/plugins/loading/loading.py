"""From a plugin's bytes, which have been checked, to what it provides."""

from pathlib import Path

from slipway_runtime.plugins.loading.code import PluginCode
from slipway_runtime.plugins.loading.code_plugin import CodePlugin


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
