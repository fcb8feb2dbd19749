"""A plugin in Python: its module or wheel is imported, and its hooks are asked for what it provides."""

import hashlib
import importlib
import importlib.util
import sys
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import distributions
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import pluggy
from fastapi import APIRouter

from slipway_crds.plugins.metadata import InvalidMetadata, PluginMetadata, checked
from slipway_runtime.plugin_api import ENTRY_POINTS, PROJECT, Hooks, Middleware, PluginTool
from slipway_runtime.plugins.loading.code import PluginCode
from slipway_runtime.plugins.loading.code_plugin import CodePlugin, stages_of
from slipway_runtime.plugins.loading.failures import PluginBroken, told
from slipway_runtime.plugins.loading.http_app import http_app
from slipway_runtime.plugins.loading.isolation import Isolated

Kind = TypeVar("Kind")
UNPACKED_BYTES = 256 * 2**20
MOST_FILES = 20_000
_ROOTS: set[str] = set()
"""Where wheels are, of all plugins of the process."""


def python_plugin(code: PluginCode, content: bytes, *, folder: Path) -> CodePlugin:
    """Import a plugin.

    Raises:
        PluginBroken: if it cannot be imported, or a hook of it raises or gives what it should not.
    """
    try:
        plugins = [_module(code, content)] if code.form == "module" else list(_wheel(code, content, folder))
    except PluginBroken:
        raise
    except (Exception, SystemExit) as error:
        raise PluginBroken(f"importing it raised {told(error)}: fix the module") from error
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    try:
        for each in plugins:
            manager.register(each)
        manager.check_pending()
        return _provided(code, manager)
    except PluginBroken:
        raise
    except pluggy.PluginValidationError as error:
        raise PluginBroken(f"a hook is not one of slipway_runtime.plugin_api: {told(error)}") from error
    except (Exception, SystemExit) as error:
        raise PluginBroken(f"a hook raised {told(error)}: fix it") from error


def _provided(code: PluginCode, manager: pluggy.PluginManager) -> CodePlugin:
    hook, config = manager.hook, dict(code.config)
    if not any(hook_.get_hookimpls() for hook_ in vars(hook).values() if hasattr(hook_, "get_hookimpls")):
        raise PluginBroken("it has no hooks: mark functions like slipway_tools with @hookimpl")
    tools = tuple(_of(PluginTool, each) for given in hook.slipway_tools(config=config) for each in given)
    names = [each.name for each in tools]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise PluginBroken(f"two of its tools have the name {twice}: rename one")
    routers = [_of(APIRouter, each) for each in hook.slipway_router(config=config)]
    middleware = hook.slipway_middleware(config=config)
    metadata = _metadata(hook.slipway_metadata())
    openapi: dict[str, Any] = dict(metadata.openapi_extensions or {}) if metadata else {}
    for extension in hook.slipway_openapi(config=config):
        openapi |= _of(dict, extension)
    if odd := [name for name in openapi if not str(name).startswith("x-")]:
        raise PluginBroken(f"extensions of the OpenAPI document begin with x-, and {odd[0]} does not: rename it")
    middleware = None if middleware is None else _of(Middleware, middleware)
    return CodePlugin(
        name=code.plugin,
        isolated=Isolated(code.plugin),
        tools=tools,
        app=http_app(code.plugin, routers, openapi, version=metadata.version if metadata else "") if routers else None,
        middleware=middleware,
        stages=stages_of(middleware),
        collectors=tuple(each for given in hook.slipway_metrics(config=config) for each in given),
        metadata=metadata,
        openapi=openapi,
    )


def _of(kind: type[Kind], given: object) -> Kind:
    if not isinstance(given, kind):
        raise PluginBroken(f"a hook gave an object of class {type(given).__name__} where a {kind.__name__} belongs")
    return given


def _metadata(given: object) -> PluginMetadata | None:
    """Raises PluginBroken."""
    if given is None:
        return None
    try:
        return checked(_of(PluginMetadata, given))
    except InvalidMetadata as error:
        raise PluginBroken(f"its metadata cannot be used: {error}") from None


def _module(code: PluginCode, content: bytes) -> object:
    """A module of its own name, so that two plugins with a file of the same name do not meet."""
    name = f"slipway_plugin_{hashlib.sha256(code.plugin.encode() + content).hexdigest()[:16]}"
    spec = importlib.util.spec_from_loader(name, loader=None)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    module.__file__ = f"<plugin {code.plugin}>"
    sys.modules[name] = module  # dataclasses and annotations look their module up
    exec(compile(content, module.__file__, "exec"), module.__dict__)
    return module


def _wheel(code: PluginCode, content: bytes, folder: Path) -> Iterator[object]:
    """The modules or objects with hooks of a wheel, which is unpacked and not installed."""
    root = _unpacked(content, folder / hashlib.sha256(content).hexdigest()[:16])
    _find_first(root)
    if code.entry:
        yield _entry(code.entry)
        return
    found = [
        entry
        for distribution in distributions(path=[str(root)])
        for entry in distribution.entry_points
        if entry.group == ENTRY_POINTS
    ]
    if not found:
        raise PluginBroken(f"the wheel has no entry point of {ENTRY_POINTS}: add one, or name the module in entry")
    for entry in found:
        yield entry.load()


def _entry(entry: str) -> object:
    module, _, name = entry.partition(":")
    found: object = importlib.import_module(module)
    for part in filter(None, name.split(".")):
        found = getattr(found, part)
    return found


def _find_first(root: Path) -> None:
    """Let the modules of a wheel be imported from where it is now, and not from a former version or another plugin."""
    tops = {each.stem for each in root.iterdir()}
    for name, module in list(sys.modules.items()):
        file = Path(str(getattr(module, "__file__", None) or "/"))
        if name.partition(".")[0] in tops and not _ROOTS.isdisjoint(map(str, file.parents)):
            del sys.modules[name]
    first = next((at for at, each in enumerate(sys.path) if each in _ROOTS), len(sys.path))
    if str(root) in sys.path:
        sys.path.remove(str(root))
    sys.path.insert(first, str(root))  # after the runtime's own, so that it takes the place of nothing
    _ROOTS.add(str(root))
    importlib.invalidate_caches()


def _unpacked(content: bytes, root: Path) -> Path:
    if root.exists():
        return root
    try:
        wheel = zipfile.ZipFile(BytesIO(content))
        names: Mapping[str, int] = {each.filename: each.file_size for each in wheel.infolist()}
    except zipfile.BadZipFile:
        raise PluginBroken("the file is no wheel: build one with `python -m build --wheel` or `uv build`") from None
    if sum(names.values()) > UNPACKED_BYTES or len(names) > MOST_FILES:
        raise PluginBroken(f"the wheel has more than {UNPACKED_BYTES // 2**20} MiB or {MOST_FILES} files")
    if native := next((name for name in names if name.endswith((".so", ".pyd"))), None):
        raise PluginBroken(f"the wheel has compiled code ({native}): only wheels of Python code are loaded")
    root.mkdir(parents=True)
    wheel.extractall(root)
    return root
