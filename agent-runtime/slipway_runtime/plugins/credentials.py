"""What a server is called with: headers from Secrets, and whose certificates it may have."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from slipway_runtime.plugins.server import ServerFailed


@dataclass(frozen=True)
class Credentials:
    """Values that are at hand, and a sentence on what is missing."""

    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    authorities: str = field(repr=False, default="")
    """PEM certificates; empty for the system's."""
    missing: str = ""

    def current(self) -> Mapping[str, str]:
        """The headers of the next request. Raises ServerFailed if one is missing."""
        if self.missing:
            told = "a credential of the Plugin is missing: whoever runs the gateway sees which one"
            raise ServerFailed("CredentialMissing", self.missing, status=503, sent=False, told=told)
        return self.headers
