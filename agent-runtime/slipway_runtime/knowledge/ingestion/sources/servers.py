"""How the server of a source is reached: to which addresses, with what certificates and credentials, by which proxy."""

import os
import ssl
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from slipway_crds.contract import SOURCE_CA_FILE, SOURCE_CREDENTIALS_FILE
from slipway_runtime import addresses
from slipway_runtime.addresses import AddressRule
from slipway_runtime.knowledge.ingestion.sources.contract import SourceUnavailable

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 60.0
"""How long a server may send nothing."""


@dataclass(frozen=True)
class SourceServer:
    """The server of one source.

    Args:
        reach: the addresses that it may have.
        files: a folder with credentials and certificates.
        signed_in: whether there are credentials.
        ca: whether there are certificates.
        own_proxy: the proxy that the source names; None: as the environment says.
    """

    reach: AddressRule
    files: Path
    signed_in: bool = False
    ca: bool = False
    own_proxy: str | None = None

    def credentials(self) -> str | None:
        """What to sign in with; None if that is not needed.

        Raises:
            SourceUnavailable: if it is missing.
        """
        if not self.signed_in:
            return None
        return self.value(SOURCE_CREDENTIALS_FILE, "credentialsRef")

    def value(self, file: str, ref: str) -> str:
        """What is in one of the files.

        Raises:
            SourceUnavailable: if it is missing.
        """
        try:
            text = (self.files / file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            text = ""
        if not text:
            raise SourceUnavailable(f"it has no credentials: create the Secret that {ref} names, with its key")
        return text

    def ca_file(self) -> Path | None:
        """The certificates that its server's is checked against; None for the system's.

        Raises:
            SourceUnavailable: if they are missing or cannot be read.
        """
        if not self.ca:
            return None
        file = self.files / SOURCE_CA_FILE
        try:
            ssl.create_default_context(cafile=str(file))
        except (OSError, ssl.SSLError):
            raise SourceUnavailable(
                "it has no certificates: create the ConfigMap that tls.caBundleRef names, with PEM certificates"
            ) from None
        return file

    async def check(self, url: str) -> None:
        """Raise ForbiddenAddress if a URL leads out of reach, OSError for a name that is not known."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        self.reach.check(host, await addresses.resolve(host, port))

    def proxy(self, url: str) -> str | None:
        """The proxy by which a URL is reached: the source's own, else as the environment says (`HTTPS_PROXY`,
        `NO_PROXY`); None for none."""
        if self.own_proxy is not None:
            return self.own_proxy
        parts = urlsplit(url)
        if urllib.request.proxy_bypass_environment(parts.hostname or ""):  # type: ignore[attr-defined]
            return None
        name = f"{parts.scheme}_proxy"
        return os.environ.get(name.upper()) or os.environ.get(name) or None
