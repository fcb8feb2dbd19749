"""`slipway dev`: manifests served on the loopback interface, without a cluster, and reloaded when they change.

Gateway and host are the ones of a cluster, on two ports of one process; only routes, stores and secrets come from
elsewhere. The gateway is open here, since it listens on 127.0.0.1 alone. With a file of API keys it may listen
elsewhere too: so one container serves a folder of manifests.
"""

import asyncio
import ipaddress
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvloop
from rich.logging import RichHandler
from starlette.applications import Starlette
from watchfiles import awatch

from slipway_crds.agents.model import Agent
from slipway_crds.manifests import SUFFIXES, ManifestError
from slipway_runtime.dev.console import Teller
from slipway_runtime.dev.driver import LocalDriver
from slipway_runtime.dev.listening import ADDRESS, PortTaken, bound, serving, url_of
from slipway_runtime.dev.manifests import InvalidManifests, Manifests, load
from slipway_runtime.dev.parts import FolderInUse, data_folder, locked, open_parts
from slipway_runtime.dev.plugins import PluginStates
from slipway_runtime.dev.vectors import InvalidPlace
from slipway_runtime.dev.workers import behind
from slipway_runtime.gateway import access
from slipway_runtime.gateway.app import create_app
from slipway_runtime.gateway.asgi import OwnNames
from slipway_runtime.gateway.auth import ApiKeys
from slipway_runtime.gateway.cors import invalid_origins
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.routes import PluginKey
from slipway_runtime.host.app import create_host_app
from slipway_runtime.identity import InvalidKey
from slipway_runtime.knowledge.embedding.model_files import ModelMissing
from slipway_runtime.knowledge.vectors.contract import VectorsUnavailable
from slipway_runtime.serving import tame_garbage_collection
from slipway_runtime.settings import default_model_dir
from slipway_runtime.store.database import StoreUnavailable
from slipway_runtime.telemetry.logging import log_as_json
from slipway_runtime.telemetry.tracing import configure_tracing
from slipway_runtime.terminal import Terminal

DEBOUNCE_MILLISECONDS = 200


@dataclass(frozen=True)
class Front:
    """Where the gateway listens, and whom it lets in."""

    port: int
    """0 takes any."""
    host: str = ADDRESS
    keys: Path | None = None
    """`keys.json`; None lets everybody in who can reach it."""
    allowed_origins: tuple[str, ...] = ()
    """Web origins whose pages may read answers (CORS)."""


class InvalidFront(Exception):
    """The gateway would let in everybody on the network, or nobody; the text says what to do."""


CANNOT_START = (
    ManifestError,
    InvalidManifests,
    FolderInUse,
    InvalidFront,
    InvalidPlace,
    PortTaken,
    ModelMissing,
    VectorsUnavailable,
    StoreUnavailable,
    InvalidKey,
)
"""What a person can fix; each of them says how."""


def main(files: Sequence[Path], *, front: Front, data: Path | None, store: str = "", began: float | None = None) -> int:
    """Serve until Ctrl-C. 0 after that; 1 if it could not begin, with the reason printed.

    Args:
        data: where sessions and indexes are kept; None for a folder of these manifests' own in the user's cache.
        store: DSN of a Postgres that keeps them instead; empty for none.
        began: when the person pressed Enter, by the monotonic clock; now if not given.
    """
    began = began or time.monotonic()
    teller = Teller()
    handler = RichHandler(console=Terminal(), show_path=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    flush = configure_tracing("slipway-dev")
    try:
        check(front)
        if front.keys is not None:
            log_as_json(access.__name__, "gateway")
        manifests = load(files)
        # For entry points of agents. At the end, so that nothing there takes the place of another module.
        sys.path += [str(each) for each in sorted(_folders(files)) if str(each) not in sys.path]
        with locked(data or data_folder(files)) as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            serve = _serve(files, manifests, folder=folder, store=store, front=front, teller=teller, began=began)
            runner.run(serve)
    except CANNOT_START as error:
        teller.error(str(error))
        return 1
    finally:
        flush()
    return 0


async def _serve(
    files: Sequence[Path],
    manifests: Manifests,
    *,
    folder: Path,
    store: str,
    front: Front,
    teller: Teller,
    began: float,
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    model = Path(os.environ.get("SLIPWAY_MODEL_DIR") or default_model_dir())
    delay = float(os.environ.get("SLIPWAY_TEST_DELTA_DELAY") or 0)
    with bound(front.port, host=front.host) as door, bound(0) as back:
        async with open_parts(
            folder,
            model=model,
            delta_delay=delay,
            keys=front.keys,
            allowed_origins=front.allowed_origins,
            gateway_url=url_of(door),
            store=store,
        ) as parts:
            driver = LocalDriver(parts, host_url=url_of(back))
            async with (
                serving(behind(create_host_app(parts.host), lambda: parts.worker.app), back, lifespan=True),
                serving(application(parts.gateway, front), door, lifespan=False),
            ):
                whole = await apply(driver, manifests, teller)
                tame_garbage_collection()
                agents = [str(agent) for agent in parts.gateway.routes.agents()]
                teller.serving(
                    url_of(door),
                    agents,
                    seconds=time.monotonic() - began,
                    reach=reach(front),
                    keys=front.keys is not None,
                    wanted=any(isinstance(each, Agent) for each in manifests.objects),
                )
                tell = partial(_told, teller, url_of(door))
                PluginStates(parts.gateway.plugins, tell).look()
                await follow(files, manifests if whole else None, driver, teller, stop)


def _told(teller: Teller, url: str, key: PluginKey, state: str, well: bool | None) -> None:
    teller.plugin(str(key), url, state, well)


def check(front: Front) -> None:
    """Refuse to let in everybody on the network, or nobody.

    Raises:
        InvalidFront: if others can reach the gateway and no keys are asked for, there are no keys, or no such address.
    """
    try:
        address = ipaddress.ip_address(front.host)
    except ValueError:
        raise InvalidFront(f"--host {front.host} is no address: write 0.0.0.0 for all interfaces") from None
    if wrong := invalid_origins(front.allowed_origins):
        raise InvalidFront(f"--allow-origin {wrong[0]} is no origin: write it as http://localhost:3000")
    if front.keys is None and not address.is_loopback:
        raise InvalidFront(
            f"--host {front.host} can be reached from other machines: give --keys FILE as well, "
            'with {"keys": [...]} of what `slipway keys new NAME` prints'
        )
    if front.keys is not None and (missing := ApiKeys(front.keys).missing()):
        raise InvalidFront(missing)


def reach(front: Front) -> str:
    """Who can reach the gateway, and with what."""
    address = ipaddress.ip_address(front.host)
    key = ", with an API key" if front.keys else ""
    if address.is_loopback:
        return f"open to this machine alone{key}"
    return f"open to every machine that can reach {'this one' if address.is_unspecified else front.host}{key}"


def application(gateway: Gateway, front: Front) -> Starlette:
    """The gateway's application. An open one refuses requests by another name than this machine's: a web page could
    otherwise reach it with one that resolves to 127.0.0.1, and read the answers."""
    app = create_app(gateway)
    if front.keys is None:
        app.add_middleware(OwnNames)
    return app


async def apply(driver: LocalDriver, manifests: Manifests, teller: Teller) -> bool:
    """Make the manifests what is served, and report on it. Returns whether everything was made."""
    teller.warn([*manifests.warnings, *driver.warnings(manifests)])
    with teller.progress() as progress:
        outcomes = await driver.apply(manifests, progress=progress)
    teller.made(outcomes)
    return not any(outcome.error for outcome in outcomes)


async def follow(
    files: Sequence[Path], current: Manifests | None, driver: LocalDriver, teller: Teller, stop: asyncio.Event
) -> None:
    """Apply the manifests again whenever they change, until told to stop. Bad ones leave everything as it is.

    Args:
        current: what is served; None where an index could not be ingested, so that saving a file tries again.
    """
    refused = False
    async for _ in awatch(
        *_folders(files),
        watch_filter=lambda _, path: is_manifest(Path(path), files),
        stop_event=stop,
        debounce=DEBOUNCE_MILLISECONDS,
        recursive=False,
    ):
        try:
            changed = await asyncio.to_thread(load, files)
        except (ManifestError, InvalidManifests) as error:
            teller.error(f"{error}\nnot reloaded: what was served before goes on")
            refused = True
            continue
        if changed == current:
            if refused:
                teller.note("the manifests are again what is served")
            refused = False
            continue
        refused = False
        if await apply(driver, changed, teller):
            current = changed
            teller.note("reloaded")
        else:
            current = None
            teller.note("fix what is reported above, and save a file again to try once more")


def _folders(files: Sequence[Path]) -> set[Path]:
    """Where the manifests are."""
    return {file if file.is_dir() else file.parent for file in map(Path.absolute, files)}


def is_manifest(path: Path, files: Sequence[Path]) -> bool:
    """Whether a file that changed is one of ours: given by name, or in a folder that was given."""
    path = path.resolve()
    given = [file.resolve() for file in files]
    return path in given or (path.parent in given and path.suffix in SUFFIXES)
