"""Ports of the loopback interface that lead into the cluster's network: to the API server, or to a service."""

import ipaddress
import re
import socket
from pathlib import Path

from devcluster.addons import Kubectl
from devcluster.components import Component
from devcluster.errors import DevclusterError
from devcluster.records import Door
from devcluster.settings import API_PORT

API_DOOR = "api-door"
"""Name of the process behind the API server's door; the others are called door-NAME."""
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


def component(name: str, door: Door, *, binary: Path, holder: int) -> Component:
    """The process behind a door. It listens on this machine and dials in the holder's network namespace."""
    arguments = (f"-namespace=/proc/{holder}/ns/net", f"-listen=127.0.0.1:{door.port}", f"-to={door.to}")
    return Component(name, (str(binary), *arguments))


def process_name(door: str) -> str:
    """Name of the process behind a user's door. Raises DevclusterError for a name that cannot be a file's."""
    if not _NAME.fullmatch(door):
        raise DevclusterError(f"{door!r} cannot be a door's name: use at most 40 lower-case letters, digits and dashes")
    return f"door-{door}"


def api_door(port: int) -> Door:
    return Door(to=f"127.0.0.1:{API_PORT}", port=port)


def parse_target(target: str) -> tuple[str, int]:
    """Host and port of ADDRESS:PORT or SERVICE.NAMESPACE:PORT. Raises DevclusterError for anything else."""
    host, _, port = target.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise DevclusterError(f"{target!r} is no target: write ADDRESS:PORT or SERVICE.NAMESPACE:PORT")
    return host, int(port)


def resolve(target: str, kubectl: Kubectl) -> str:
    """ADDRESS:PORT of a target; a service is looked up once, so expose it anew after it was deleted and made again."""
    host, port = parse_target(target)
    try:
        return f"{ipaddress.IPv4Address(host)}:{port}"
    except ipaddress.AddressValueError:
        name, _, namespace = host.partition(".")
    if not namespace or "." in namespace.removesuffix(".svc"):
        raise DevclusterError(f"{host!r} is neither an address nor SERVICE.NAMESPACE")
    path = "--output=jsonpath={.spec.clusterIP}"
    address = kubectl("--namespace", namespace.removesuffix(".svc"), "get", "service", name, path)
    if not address or address == "None":
        raise DevclusterError(
            f"the service {host} has no address of its own (headless): expose a pod's address instead"
        )
    return f"{address}:{port}"


def listening(port: int) -> bool:
    """Whether something accepts connections at that port of 127.0.0.1."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
