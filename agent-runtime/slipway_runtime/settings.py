"""What the processes of the runtime read from their environment.

The operator and the chart write these variables; the names are a contract with them. Everything that answers depend on
is in RuntimeConfig instead. Files are named here and read by whoever uses them, again when they change.
"""

import os
import socket
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from slipway_crds import contract
from slipway_crds.identity import KEY as IDENTITY_KEY


def cache_dir() -> Path:
    """Where downloads and builds are kept: `slipway` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "slipway"


def default_model_dir() -> Path:
    """Where `python -m slipway_runtime.knowledge.embedding.build_model build` puts the embedding model."""
    return cache_dir() / "models" / "all-MiniLM-L6-v2"


class Settings(BaseSettings):
    """What every process has."""

    model_config = SettingsConfigDict(env_prefix="SLIPWAY_", frozen=True)
    port: int = contract.HTTP_PORT

    @classmethod
    def from_environment(cls) -> Self:
        """Read the environment.

        Raises:
            SystemExit: naming each variable that is missing or wrong.
        """
        try:
            return cls()
        except ValidationError as error:
            faults = (f"SLIPWAY_{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors())
            raise SystemExit("The environment is not complete. " + "; ".join(faults)) from None


class ServerSettings(Settings):
    """What hosts and gateways have in common."""

    metrics_port: int = contract.METRICS_PORT
    """Where `/metrics` is, apart from what callers reach."""


class KnowledgeSettings(Settings):
    """What hosts and ingestions have in common: the way to documents and vectors."""

    store_dsn_file: Path = Path(contract.STORE_DIR, contract.STORE_KEY)
    """A file with `postgresql://...` or `sqlite:////path`."""
    chroma_url: str = contract.CHROMA_URL
    """Where an index's Chroma is; `{index}` is replaced by the index's name."""
    model_dir: Path = Field(default_factory=default_model_dir)


class HostSettings(KnowledgeSettings, ServerSettings):
    """`slipway host`."""

    config: Path = Path(contract.CONFIG_DIR, contract.CONFIG_KEY)
    """A RuntimeConfig."""
    bindings: Path = Path(contract.BINDINGS_DIR, contract.BINDINGS_KEY)
    """A Bindings, read again when it changes."""
    identity_anchor: str
    """Base64 of the 32-byte Ed25519 public key that the operator signs the gateway's keys with."""
    identity_keys_file: Path = Path(contract.IDENTITY_DIR, IDENTITY_KEY)
    """The gateway's public keys, signed."""
    gateway_url: str = contract.GATEWAY_URL
    """Where agents ask other agents."""
    host_id: str = Field(default_factory=socket.gethostname)
    """Name of this process among the hosts: the pod's name."""
    test_delta_delay: float = 0.0
    """Seconds between two pieces of an answer, so that tests have streams that are really open. For tests only."""


class IngestSettings(KnowledgeSettings):
    """`slipway ingest`."""

    config: Path = Path(contract.CONFIG_DIR, contract.CONFIG_KEY)
    """An IngestConfig."""
    sources: Path = Path(contract.SOURCES_DIR)
    """A folder with one folder a source, and in it one file a document."""
    termination_file: Path = Path("/dev/termination-log")


class GatewaySettings(ServerSettings):
    """`slipway gateway`."""

    auth_mode: Literal["apikeys", "open"] = "apikeys"
    api_keys_file: Path = Path("/etc/slipway/keys/keys.json")
    identity_key_file: Path = Path("/etc/slipway/identity/private.pem")
    default_agent: str | None = None
    """`namespace/name` of the agent behind `/agent/chat`."""
    smart_agent: str | None = None
    """`namespace/name` of the agent behind `/smart/chat`."""
    hold_seconds: float = 15.0
    """How long a question waits for a pod to become ready."""
    max_in_flight: int = 1000
    """Requests that one gateway process works on at a time; more get 429."""
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Web origins whose pages may read answers (CORS), with commas between them."""

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(filter(None, value.split(","))) if isinstance(value, str) else value
