"""TLS of hosts and connectors, where the installation has it: what their pods, Services and policies have of it.

The plain port stays for probes and for the operator, which reads what is missing and how far things are.
"""

from slipway_crds import contract
from slipway_operator.core import policies
from slipway_operator.core.inputs import BuildSettings
from slipway_operator.core.manifests import JsonObject
from slipway_operator.core.pods import read_only

VOLUME = "host-tls"
READABLE = 0o440


def container_ports(settings: BuildSettings) -> dict[str, int]:
    """Of the container, by name."""
    return {contract.TLS_PORT_NAME: contract.TLS_PORT} if settings.host_tls_secret else {}


def environment(settings: BuildSettings) -> list[JsonObject]:
    """Of the container."""
    return [{"name": "SLIPWAY_TLS_DIR", "value": contract.HOST_TLS_DIR}] if settings.host_tls_secret else []


def mounts(settings: BuildSettings) -> list[JsonObject]:
    """Of the container."""
    return [read_only(VOLUME, contract.HOST_TLS_DIR)] if settings.host_tls_secret else []


def volumes(settings: BuildSettings) -> list[JsonObject]:
    """Of the pod, which waits for the Secret. The kubelet refreshes it: a renewed certificate rolls nothing."""
    if not settings.host_tls_secret:
        return []
    return [{"name": VOLUME, "secret": {"secretName": settings.host_tls_secret, "defaultMode": READABLE}}]


def service_ports(settings: BuildSettings) -> list[JsonObject]:
    """Of a Service in front of such pods: the plain port, and the one with TLS."""
    ports = {contract.HTTP_PORT_NAME: contract.HTTP_PORT, **container_ports(settings)}
    return [{"name": name, "port": port, "protocol": "TCP", "targetPort": name} for name, port in sorted(ports.items())]


def ingress(settings: BuildSettings) -> list[JsonObject]:
    """In from the gateway and the operator."""
    plain = policies.from_release(settings, "gateway", "operator", port=contract.HTTP_PORT)
    if not settings.host_tls_secret:
        return [plain]
    return [plain, policies.from_release(settings, "gateway", port=contract.TLS_PORT)]
