"""What a connector calls its server or API with, from files that Secrets and ConfigMaps are mounted as."""

import logging
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

from slipway_crds.plugins.connector import HeaderConfig, authorities_file, header_configs
from slipway_crds.plugins.model import Plugin
from slipway_runtime.addresses import AddressRule
from slipway_runtime.plugins.server import ServerAccess, ServerFailed

log = logging.getLogger(__name__)

LARGEST = 16 * 1024
"""Bytes of a header's value."""


class CredentialFiles:
    """The headers of each request, from a folder."""

    def __init__(self, folder: Path, headers: tuple[HeaderConfig, ...]) -> None:
        self._folder = folder
        self._headers = headers

    def current(self) -> Mapping[str, str]:
        """What is in the files now.

        Raises:
            ServerFailed: if a value is missing or cannot be one of a header. The text never holds it.
        """
        return {each.name: self._value(each) for each in self._headers}

    def _value(self, header: HeaderConfig) -> str:
        try:
            value = (self._folder / header.file).read_bytes()[:LARGEST].decode("ascii").strip()
        except FileNotFoundError:
            raise _missing(header, "is missing: create the Secret that the Plugin names, with its key") from None
        except (OSError, UnicodeDecodeError):
            raise _missing(header, "cannot be read: it must be one line of ASCII") from None
        if not value or not value.isprintable():
            raise _missing(header, "is empty or has line breaks in it: write the value alone into the Secret")
        return f"Bearer {value}" if header.bearer else value


def _missing(header: HeaderConfig, what: str) -> ServerFailed:
    return ServerFailed("CredentialMissing", f"the value of the header {header.name} {what}", status=503, sent=False)


def access_of(plugin: Plugin, folder: Path, reach: AddressRule) -> ServerAccess:
    """How a plugin's server or API is called, with the files of a folder."""
    credentials = CredentialFiles(folder, header_configs(plugin))
    file = authorities_file(plugin)
    return ServerAccess(reach=reach, headers=credentials.current, tls=_authorities(folder / file) if file else None)


def _authorities(file: Path) -> Callable[[], ssl.SSLContext]:
    def tls() -> ssl.SSLContext:
        """The bundle is optional in the pod: without it nothing is trusted, and the status says so."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cafile=str(file))
        except (OSError, ssl.SSLError) as error:
            log.warning("the certificates of the server's authorities cannot be read: %s", error)
        return context

    return tls
