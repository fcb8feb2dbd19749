"""The bytes that a plugin is made of. Nothing of a plugin runs before its digest and its signature have been checked.

They are in a file of a folder, where a pod has its ConfigMaps mounted, or at a URL.
"""

import asyncio
from pathlib import Path

import aiohttp

from slipway_crds.plugins.connector import SOURCE_FILE, source_url
from slipway_crds.plugins.model import Plugin
from slipway_runtime.addresses import AddressRule, ForbiddenAddress
from slipway_runtime.plugins.connection import new_session
from slipway_runtime.plugins.loaded import PluginNotLoaded
from slipway_runtime.plugins.verification import check_source
from slipway_runtime.responses import InvalidAnswer

MOST_BYTES = 64 * 1024 * 1024
FETCH_SECONDS = 60.0
CONNECT_SECONDS = 5.0


async def read_source(plugin: Plugin, folder: Path, reach: AddressRule) -> bytes:
    """The bytes of a plugin, checked.

    Args:
        folder: has the file `SOURCE_FILE`, unless the source is at a URL, and the keys of ConfigMaps.
        reach: the addresses that a URL may lead to.

    Raises:
        PluginNotLoaded: if they are not there, or are not those that the Plugin names.
    """
    url = source_url(plugin)
    source = await _fetched(url, reach) if url else await asyncio.to_thread(_read, folder / SOURCE_FILE)
    await asyncio.to_thread(check_source, plugin, source, folder)
    return source


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise PluginNotLoaded(
            "SourceMissing", "the ConfigMap that the Plugin names is missing, or has no such key: create it"
        ) from None
    except OSError as error:
        raise PluginNotLoaded("SourceMissing", f"the plugin's file cannot be read: {error.strerror}") from None


async def _fetched(url: str, reach: AddressRule) -> bytes:
    session = new_session(reach, timeout=FETCH_SECONDS, connect_timeout=CONNECT_SECONDS)
    try:
        async with session, asyncio.timeout(FETCH_SECONDS), session.get(url, allow_redirects=False) as response:
            if response.status != 200:
                raise _unreachable(url, f"it answers {response.status}: write the file's final address")
            parts, size = [], 0
            async for part in response.content.iter_chunked(2**16):
                size += len(part)
                if size > MOST_BYTES:
                    raise _unreachable(url, f"it is longer than {MOST_BYTES // 2**20} MiB")
                parts.append(part)
            return b"".join(parts)
    except ForbiddenAddress as error:
        raise PluginNotLoaded("ForbiddenAddress", str(error)) from None
    except (aiohttp.ClientError, TimeoutError, OSError, InvalidAnswer, ValueError) as error:
        raise _unreachable(url, str(error) or "no answer in time") from None


def _unreachable(url: str, why: str) -> PluginNotLoaded:
    return PluginNotLoaded("SourceUnreachable", f"the plugin's file cannot be fetched from {url}: {why}"[:900])
