"""The cluster that the demo runs on: one that was named, else kind where docker answers, else a devcluster.

A cluster that nobody named is never touched: kubectl's current context plays no part.
"""

import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from devcluster import binaries, checks, lifecycle, recipes, settings
from devcluster.commands import run, succeeds
from devcluster.progress import step
from devcluster.settings import DEFAULT_MINOR
from slipway_demo import builders, forwarding
from slipway_demo.builders import Buildah, Builder, Docker, local_reference
from slipway_demo.chart import NAMESPACE
from slipway_demo.errors import DemoError
from slipway_demo.images import REGISTRY
from slipway_demo.kube import Kube

GATEWAY_SERVICE = "slipway-gateway"
KIND_CLUSTER = "slipway"


class TargetCluster(Protocol):
    """A cluster to show Slipway on."""

    @property
    def owned(self) -> bool:
        """Whether the demo made the cluster, and so may remove it."""

    @property
    def removal(self) -> str:
        """The command that removes what the demo made."""

    def start(self) -> None:
        """Make sure that the cluster runs. Raises DemoError or DevclusterError with what to do when it does not."""

    def kube(self) -> Kube:
        """kubectl and helm for it."""

    def builder(self) -> Builder:
        """What builds images for it. Raises DemoError where nothing here can."""

    def publish(self, builder: Builder, tags: Mapping[str, str]) -> str:
        """Bring images to where the cluster finds them; returns the registry to name in the chart's values."""

    def open_gateway(self) -> str:
        """Address of the gateway on this machine's loopback interface."""

    def stop(self) -> None:
        """Remove the cluster if it is ours, or what was left running for it."""

    def hint(self) -> str:
        """How a person reaches the cluster with kubectl."""


@dataclass(frozen=True)
class Devcluster:
    """A cluster of its own, from Go modules."""

    name: str = settings.DEFAULT_NAME
    owned: bool = True
    removal: str = "make down"

    def start(self) -> None:
        desired = settings.cluster(self.name)
        checks.ensure(install=True)
        lifecycle.up(desired, minor=DEFAULT_MINOR, api_only=False)

    def kube(self) -> Kube:
        config = f"--kubeconfig={settings.cluster(self.name).kubeconfig}"
        return Kube((str(lifecycle.kubectl_binary()), config), (helm(), config))

    def builder(self) -> Builder:
        return Buildah()

    def publish(self, builder: Builder, tags: Mapping[str, str]) -> str:
        del builder  # the devcluster reads buildah's store itself
        references = [local_reference(name, tag) for name, tag in tags.items()]
        lifecycle.load_images(settings.cluster(self.name), references)
        return REGISTRY

    def open_gateway(self) -> str:
        target = f"{GATEWAY_SERVICE}.{NAMESPACE}:80"
        door = lifecycle.expose(settings.cluster(self.name), "gateway", target, None)
        return f"http://127.0.0.1:{door.port}"

    def stop(self) -> None:
        with step(f"removing the devcluster {self.name}"):
            lifecycle.down(settings.cluster(self.name))

    def hint(self) -> str:
        command = shlex.quote(str(Path(sys.executable).with_name("devcluster")))
        return f'eval "$({command} env --name {self.name})"'


@dataclass(frozen=True)
class GivenCluster:
    """A cluster that the user named by a context of their kubeconfig, with a registry that it can pull from."""

    context: str
    registry: str | None
    owned: bool = False

    @property
    def removal(self) -> str:
        return f"make down CONTEXT={self.context}"

    def start(self) -> None:
        if not self.kube().works("get", "--raw=/readyz"):
            raise DemoError(
                f"the cluster of context {self.context!r} does not answer: "
                f"kubectl --context {self.context} get --raw=/readyz says why"
            )

    def kube(self) -> Kube:
        return Kube((_kubectl(), f"--context={self.context}"), (helm(), f"--kube-context={self.context}"))

    def builder(self) -> Builder:
        return builders.choose()

    def publish(self, builder: Builder, tags: Mapping[str, str]) -> str:
        if not self.registry:
            raise DemoError(
                f"say where {self.context} can pull images from: REGISTRY=host/path (you need to be logged in)"
            )
        for name, tag in tags.items():
            with step(f"pushing {self.registry}/{name}:{tag}"):
                builder.push(local_reference(name, tag), f"{self.registry}/{name}:{tag}")
        return self.registry

    def open_gateway(self) -> str:
        return forwarding.start(self.kube(), namespace=NAMESPACE, service=GATEWAY_SERVICE, port=80)

    def stop(self) -> None:
        forwarding.stop()

    def hint(self) -> str:
        return f"kubectl --context {self.context} get slipway --all-namespaces"


@dataclass(frozen=True)
class KindCluster:
    """A kind cluster, where a docker daemon runs. Written to kind's manual; not tried on a machine with docker yet."""

    owned: bool = True
    removal: str = "make down"

    def start(self) -> None:
        if KIND_CLUSTER not in run(["kind", "get", "clusters"]).split():
            with step("creating a kind cluster"):
                run(["kind", "create", "cluster", f"--name={KIND_CLUSTER}", "--wait=120s"])

    def kube(self) -> Kube:
        context = f"kind-{KIND_CLUSTER}"
        return Kube((_kubectl(), f"--context={context}"), (helm(), f"--kube-context={context}"))

    def builder(self) -> Builder:
        return Docker()

    def publish(self, builder: Builder, tags: Mapping[str, str]) -> str:
        del builder
        references = [local_reference(name, tag) for name, tag in tags.items()]
        with step("loading the images into kind"):
            run(["kind", "load", "docker-image", f"--name={KIND_CLUSTER}", *references])
        return REGISTRY

    def open_gateway(self) -> str:
        return forwarding.start(self.kube(), namespace=NAMESPACE, service=GATEWAY_SERVICE, port=80)

    def stop(self) -> None:
        forwarding.stop()
        with step("deleting the kind cluster"):
            run(["kind", "delete", "cluster", f"--name={KIND_CLUSTER}"])

    def hint(self) -> str:
        return f"kubectl --context kind-{KIND_CLUSTER} get slipway --all-namespaces"


def choose(*, context: str | None, registry: str | None, name: str = settings.DEFAULT_NAME) -> TargetCluster:
    """The cluster to use. Raises DemoError when a registry is given without a cluster."""
    if context:
        return GivenCluster(context, registry)
    if registry:
        raise DemoError("REGISTRY is for a cluster of yours: name it too, CONTEXT=name of a context in your kubeconfig")
    if succeeds(["docker", "info"]) and succeeds(["kind", "version"]):
        return KindCluster()
    return Devcluster(name)


def _kubectl() -> str:
    return shutil.which("kubectl") or str(lifecycle.kubectl_binary())


def helm() -> str:
    """The helm program: the machine's, or one built from its Go module."""
    return shutil.which("helm") or str(binaries.ensure(recipes.HELM))
