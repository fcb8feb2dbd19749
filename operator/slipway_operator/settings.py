"""Settings that the chart passes to the operator, read once from the environment."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from slipway_crds import contract
from slipway_crds.fields import parse_duration
from slipway_operator.core.inputs import BuildSettings


def _comma_separated(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _seconds(value: object) -> object:
    if isinstance(value, str) and value and not value.isdigit():
        return int(parse_duration(value).total_seconds())
    return value


class OperatorSettings(BaseSettings):
    """Environment variables `SLIPWAY_OPERATOR_*`. Times are seconds, or durations such as `90s`."""

    model_config = SettingsConfigDict(env_prefix="SLIPWAY_OPERATOR_", frozen=True, extra="ignore")

    runtime_image: str
    chroma_image: str
    image_pull_secrets: Annotated[tuple[str, ...], NoDecode] = ()
    image_pull_policy: str = "IfNotPresent"
    admin_dsn_file: Path = Path("/etc/slipway/admin/dsn")
    bundled_store_host: str = ""
    """Where the bundled Postgres is; empty if the store is a given one, whose Secret the operator does not make."""
    root_dir: Path = Path("/etc/slipway/root")
    """Mount of the Secret `slipway-root`."""
    identity_dir: Path = Path("/etc/slipway/identity")
    """Mount of the Secret `slipway-identity`."""
    identity_notice: int = 120
    """How long before gateways hosts learn of another identity key: longer than kubelets take to refresh volumes."""
    store_host: str = ""
    store_port: int | None = None
    release_namespace: str = "slipway-system"
    gateway_url: str = contract.GATEWAY_URL
    gateway_status_url: str = contract.GATEWAY_STATUS_URL
    """Where gateways say what they found out of the servers of plugins."""
    host_resources: dict[str, Any] = Field(default_factory=dict)
    index_resources: dict[str, Any] = Field(default_factory=dict)
    ingest_resources: dict[str, Any] = Field(default_factory=dict)
    worker_resources: dict[str, Any] = Field(default_factory=dict)
    worker_min: Annotated[int, Field(ge=1)] = 1
    """Workers of workflows that a namespace has at least."""
    worker_max: Annotated[int, Field(ge=1)] = 4
    """And at most, when runs wait."""
    pod_env: list[dict[str, Any]] = Field(default_factory=list)
    ca_config_map: str = ""
    network_policies: bool = True
    host_tls: Literal["none", "operator", "secret"] = "none"
    """Whether hosts and connectors speak TLS, and who makes their certificates."""
    host_tls_secret: str = ""
    """Name of the Secret with their certificates in each namespace, where somebody else makes them."""
    lease_name: str = "slipway-operator"
    pod_name: str = ""
    drain_timeout: int = 90
    rollout_deadline: int = 120
    rolls_at_once: int = 3
    """Agents whose pods are replaced at the same time when the chart or the runtime image changes."""
    connections_per_namespace: int = 60
    """To the store, that a namespace's login may have at a time."""
    namespace_deletion_policy: Literal["Delete", "Retain"] = "Delete"
    namespace_grace_period: int = 7 * 24 * 3600
    """From a namespace's deletion to that of what the store keeps of it."""
    workers: int = 16
    probe_port: int = 8081
    log_level: str = "INFO"

    _lists = field_validator("image_pull_secrets", mode="before")(_comma_separated)
    _times = field_validator(
        "drain_timeout", "rollout_deadline", "identity_notice", "namespace_grace_period", mode="before"
    )(_seconds)

    @field_validator(
        "store_port",
        "host_resources",
        "index_resources",
        "ingest_resources",
        "worker_resources",
        "pod_env",
        mode="before",
    )
    @classmethod
    def _empty_means_default(cls, value: object, info: Any) -> object:
        """An unset chart value arrives as an empty string."""
        return cls.model_fields[info.field_name].get_default(call_default_factory=True) if value == "" else value

    @classmethod
    def from_environment(cls) -> Self:
        """Read the environment.

        Raises:
            SystemExit: naming each variable that is missing or wrong.
        """
        try:
            return cls()
        except ValidationError as error:
            faults = (f"SLIPWAY_OPERATOR_{str(each['loc'][0]).upper()}: {each['msg']}" for each in error.errors())
            raise SystemExit("The environment is not complete. " + "; ".join(faults)) from None

    def for_builders(self, *, identity_anchor: str, store_port: int) -> BuildSettings:
        """The part that decides what objects look like."""
        return BuildSettings(
            runtime_image=self.runtime_image,
            chroma_image=self.chroma_image,
            image_pull_secrets=self.image_pull_secrets,
            image_pull_policy=self.image_pull_policy,
            release_namespace=self.release_namespace,
            gateway_url=self.gateway_url,
            host_resources=self.host_resources,
            index_resources=self.index_resources,
            ingest_resources=self.ingest_resources,
            worker_resources=self.worker_resources,
            worker_scale=(self.worker_min, max(self.worker_min, self.worker_max)),
            pod_env=tuple(self.pod_env),
            ca_config_map=self.ca_config_map,
            network_policies=self.network_policies,
            identity_anchor=identity_anchor,
            store_port=store_port,
            connections_per_namespace=self.connections_per_namespace,
            rollout_deadline=self.rollout_deadline,
            host_tls_secret=self._host_tls_secret(),
        )

    def _host_tls_secret(self) -> str:
        made = {"none": "", "operator": contract.HOST_TLS_SECRET, "secret": self.host_tls_secret}
        return made[self.host_tls]
