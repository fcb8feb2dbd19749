"""Who may vouch for hosts and connectors that speak TLS: read again when it changes, so that nothing is restarted.

A host is called by its address, and its certificate is one of its namespace. So a pod of another namespace cannot take
its place.
"""

import logging
import ssl
import time
from collections.abc import Callable
from pathlib import Path

from slipway_runtime.identity_files import ChangingFile

log = logging.getLogger(__name__)


class HostAuthorities:
    """The authorities in a file of PEM certificates.

    Raises:
        OSError, ssl.SSLError: if there are none at the start. Later a useless file leaves the last good ones in force.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = ChangingFile(path, clock=clock)
        self._file.changed()
        self._context = _trusting(path)

    def context(self) -> ssl.SSLContext:
        """For the next connection: the same object while the file is the same, so that connections are kept."""
        if self._file.changed():
            try:
                self._context = _trusting(self._file.path)
                log.info("the authorities of hosts were read")
            except (OSError, ssl.SSLError) as error:
                log.error("the changed authorities of hosts cannot be used; those before stay in force: %s", error)
        return self._context


def _trusting(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cafile=str(path))
    return context
