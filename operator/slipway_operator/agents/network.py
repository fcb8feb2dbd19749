"""Whom an agent's pods may talk to."""

from collections.abc import Sequence

from slipway_crds import contract
from slipway_crds.agents.destinations import ExternalService, public_ports
from slipway_crds.agents.model import AgentSpec
from slipway_crds.bindings import ConnectionSource
from slipway_crds.kafka import ports_of
from slipway_crds.meta import GROUP
from slipway_crds.runtimeconfig import AgentConfig
from slipway_operator.agents.plugin_code import code_urls
from slipway_operator.core import connections as elsewhere
from slipway_operator.core import host_tls, policies
from slipway_operator.core.inputs import BuildSettings, labels
from slipway_operator.core.manifests import JsonObject


def ingress(settings: BuildSettings) -> list[JsonObject]:
    """In from the gateway, the operator and the collectors of metrics."""
    return [
        *host_tls.ingress(settings),
        policies.from_metrics(),
    ]


def egress(
    settings: BuildSettings,
    configs: Sequence[AgentConfig],
    spec: AgentSpec,
    connections: Sequence[ConnectionSource] = (),
) -> list[JsonObject]:
    """Out to what the configurations of the live revisions need, to brokers, and to what `spec.egress` names."""
    indexes = sorted({knowledge.index for config in configs for knowledge in config.knowledge})
    models: list[ExternalService] = [model for config in configs for model in config.models]
    models += [config.web_search for config in configs if config.web_search]
    redis = [config.session_redis for config in configs if config.session_redis is not None]
    remote = [tool.url for config in configs for tool in config.tools if tool.url]
    remote += [member.url for config in configs for member in config.remote_members]
    remote += [url for config in configs for url in code_urls(config)]
    return [
        policies.to_dns(),
        *policies.to_platform(settings),
        policies.to_gateway(settings),
        *(policies.to_pods(labels("index", {f"{GROUP}/index": index}), port=contract.CHROMA_PORT) for index in indexes),
        *policies.to_public(public_ports(models, [*redis, *remote])),
        *elsewhere.egress(connections),
        *(policies.to_anywhere(port) for port in ports_of([spec.answers_to.kafka] if spec.answers_to else [])),
        *(policies.to_egress(entry) for entry in spec.egress),
    ]
