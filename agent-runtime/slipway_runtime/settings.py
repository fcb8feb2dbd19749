"""What the processes of the runtime read from their environment.

The operator and the chart write these variables; the names are a contract with them. Everything that answers depend on
is in RuntimeConfig instead. Files are named here and read by whoever uses them, again when they change.
"""

import os
import re
import socket
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, IPvAnyNetwork, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from slipway_crds import contract
from slipway_crds.identity import KEY as IDENTITY_KEY
from slipway_crds.plugins.connector import CREDENTIALS_DIR

LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?(/.*)?")


def is_secure(url: str) -> bool:
    """Whether nobody between here and there can change what is read: by TLS, or on this machine."""
    return url.startswith("https://") or LOOPBACK.fullmatch(url) is not None


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
            faults = (": ".join((*_variable(fault["loc"]), fault["msg"])) for fault in error.errors())
            raise SystemExit("The environment is not complete. " + "; ".join(faults)) from None


def _variable(place: tuple[int | str, ...]) -> tuple[str, ...]:
    """The variable that a fault is in; none for one of several together."""
    return (f"SLIPWAY_{str(place[0]).upper()}",) if place else ()


class ServerSettings(Settings):
    """What hosts and gateways have in common."""

    metrics_port: int = contract.METRICS_PORT
    """Where `/metrics` is, apart from what callers reach."""
    tls_dir: Path | None = None
    """A folder with `tls.crt` and `tls.key`, read again when they change; None: no TLS here."""
    tls_port: int = contract.TLS_PORT
    """Where TLS is spoken, apart from `port`, which the cluster's own requests and probes go to."""


class KnowledgeSettings(Settings):
    """What hosts and ingestions have in common: the way to documents and vectors."""

    store_dsn_file: Path = Path(contract.STORE_DIR, contract.STORE_KEY)
    """A file with `postgresql://...` or `sqlite:////path`."""
    chroma_url: str = contract.CHROMA_URL
    """Where an index's Chroma is; `{index}` is replaced by the index's name."""
    connections: Path = Path(contract.CONNECTIONS_DIR)
    """A folder with what leads to vectors that are elsewhere, read again when it changes."""
    model_dir: Path = Field(default_factory=default_model_dir)
    sentence_models: Path = Path(contract.SENTENCE_MODELS_DIR)
    """A folder with the models in files that indexes have of their own."""


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
    source_files: Path = Path(contract.SOURCE_FILES_DIR)
    """A folder with one folder a source, and in it credentials and certificates of its server."""
    acceptance: Path = Path(contract.ACCEPTANCE_DIR)
    """A folder with the keys of the ConfigMap that has the questions a build has to find documents for."""
    termination_file: Path = Path("/dev/termination-log")
    shards: int = Field(default=1, ge=1)
    """How many processes do the ingestion together."""
    shard: int = Field(default=0, ge=0)
    """Which of them this is, from 0: the completion index of its pod."""
    ingestion: str = ""
    """What tells the ingestion from others, where there are several shards: the uid of its Job."""


class ConnectorSettings(ServerSettings):
    """`slipway connector`."""

    connector: str
    """A ConnectorConfig."""
    credentials: Path = Path(CREDENTIALS_DIR)
    """A folder with a file for each header, and the certificates of the server's authorities."""
    gateway_url: str = contract.GATEWAY_URL
    """Where agents are asked."""
    identity_anchor: str
    """As a host has it."""
    identity_keys_file: Path = Path(contract.IDENTITY_DIR, IDENTITY_KEY)


class WorkerSettings(ServerSettings):
    """`slipway worker`."""

    store_dsn_file: Path = Path(contract.STORE_DIR, contract.STORE_KEY)
    """As a host has it."""
    engine_schema: str = ""
    """Schema of the engine's tables in Postgres; empty: that of the store and `_wf`."""
    workflows: Path = Path(contract.WORKFLOWS_DIR)
    """A folder with each Workflow as `NAME.json`, read again when it changes."""
    kafka: Path = Path(contract.KAFKA_DIR)
    """A folder with passwords and certificates of brokers of Kafka."""
    gateway_url: str = contract.GATEWAY_URL
    """Where agents are called."""
    worker_key_file: Path = Path(contract.WORKER_KEY_DIR, contract.WORKER_KEY)
    """The key with which the worker proves itself to gateways."""
    identity_anchor: str
    """As a host has it."""
    identity_keys_file: Path = Path(contract.IDENTITY_DIR, IDENTITY_KEY)
    worker_id: str = Field(default_factory=socket.gethostname)
    """Name of this process among the workers: the pod's name."""
    segments: Annotated[int, Field(ge=1, le=1000)] = 32
    """Runs that it works on at a time; at most three quarters of them are of the same workflow."""
    drain_seconds: float = 30.0
    """How long runs under way may still take when the pod ends; another worker goes on with the others."""


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

    public_url: str = ""
    """Where callers reach the gateway, without a path: `https://agents.example.org`."""
    host_authorities_file: Path | None = None
    """PEM certificates by which hosts and connectors are checked, read again when they change; None: they speak plain
    HTTP."""
    oidc_issuer: str = ""
    """URL of the OpenID Connect provider whose tokens are taken; empty: none are."""
    oidc_audiences: Annotated[tuple[str, ...], NoDecode] = ()
    """What tokens must have in `aud`: one of these, with commas between them."""
    oidc_username_claim: str = "sub"
    oidc_groups_claim: str = "groups"
    rate_limit_caller: Annotated[int, Field(ge=0)] = 0
    """Requests that one caller may send in a minute, through all replicas together; 0: no limit."""
    rate_limit_agent: Annotated[int, Field(ge=0)] = 0
    """Requests that one caller may send to one agent in a minute; 0: no limit."""
    service: str = ""
    """`namespace/name` of the gateway's Service, whose ready end points share the limits; empty: this gateway alone."""
    token_review_audience: str = ""
    """What tokens of ServiceAccounts must be for; empty: none are taken."""

    plugin_networks: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = ()
    """Private networks in which a Plugin's `url` may be, with commas between them."""

    receiver_networks: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = ()
    """Private networks in which receivers of push notifications may be, with commas between them. Callers name them."""

    @field_validator("allowed_origins", "oidc_audiences", "plugin_networks", "receiver_networks", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @field_validator("public_url")
    @classmethod
    def _origin(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^/?#@|\s\"]+", value):
            raise ValueError("must be a URL without a path, like https://agents.example.org")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.auth_mode == "open" and (self.oidc_issuer or self.token_review_audience):
            raise ValueError("SLIPWAY_AUTH_MODE=open lets everybody in: remove what says whose tokens are taken")
        if not self.oidc_issuer:
            return self
        if "|" in self.oidc_issuer or not is_secure(self.oidc_issuer):
            raise ValueError("SLIPWAY_OIDC_ISSUER must be an https URL, or on this machine an http one, without |")
        if not (self.oidc_audiences or self.public_url):
            raise ValueError("SLIPWAY_OIDC_AUDIENCES must be set: a token for another service is none for this gateway")
        return self
