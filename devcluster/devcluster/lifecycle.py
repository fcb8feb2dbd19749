"""Bringing a cluster up, taking it down, and opening doors into it."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from devcluster import addons, binaries, cgroups, checks, components, doors, image_stores, images, pki, recipes, records
from devcluster.errors import DevclusterError
from devcluster.files import locked, write
from devcluster.node import Node
from devcluster.progress import say, step
from devcluster.records import ClusterRecord, Door
from devcluster.settings import DEFAULT_MINOR, Cluster

API_DEADLINE_S = 60
NODE_DEADLINE_S = 90
DNS_DEADLINE_S = 90
PODS_DEADLINE_S = 180


def up(cluster: Cluster, *, minor: str, api_only: bool, with_images: Sequence[str] = ()) -> ClusterRecord:
    """Start the cluster, or what of it is not running. Raises DevclusterError when it does not become healthy.

    Args:
        with_images: names of buildah's images that a new cluster has from the beginning.
    """
    for recipe in recipes.needed(minor, api_only=api_only):
        binaries.ensure(recipe)
    with locked(cluster.lock, f"cluster {cluster.name}"):
        before = records.load(cluster)
        record = before or records.new(cluster, minor=minor, api_only=api_only)
        check_same(cluster, record, minor=minor, api_only=api_only)
        node = Node(cluster, binaries.ensure(recipes.PAUSE))
        image_stores.give(cluster, with_images)
        try:
            _start(cluster, record, node)
        except DevclusterError as error:
            if before is None:
                raise
            say(f"{error}\nrestarting everything; its data stay")
            node.kill_everything()
            node.started.clear()
            _start(cluster, record, node)
        if not node.started:
            say(f"cluster {cluster.name} was up already")
        elif before:
            say(f"started again: {', '.join(dict.fromkeys(node.started))}")
        return record


def down(cluster: Cluster) -> bool:
    """Remove the cluster: processes, control groups, network, volumes, images. False when there was nothing."""
    with locked(cluster.lock, f"cluster {cluster.name}"):
        existed = cluster.root.exists() or bool(cgroups.members(cluster.cgroup))
        Node(cluster, pause=cluster.root).kill_everything()
        mounts = mounts_below(cluster.root, Path("/proc/self/mounts").read_text())
        if mounts:
            raise DevclusterError(
                f"something else is mounted in the cluster's folder; unmount it first: {', '.join(mounts)}"
            )
        if cluster.root.exists():
            shutil.rmtree(cluster.root)
        cluster.lock.unlink(missing_ok=True)
        return existed


def mounts_below(folder: Path, mounts: str) -> list[str]:
    """Mount points in a folder, from the text of /proc/self/mounts."""
    targets = [line.split()[1] for line in mounts.splitlines()]
    return [target for target in targets if Path(target).is_relative_to(folder)]


def kubectl(cluster: Cluster, minor: str = DEFAULT_MINOR) -> addons.Kubectl:
    """kubectl for a cluster. One that runs only an API server borrows the default version's."""
    return addons.Kubectl(kubectl_binary(minor), cluster)


def kubectl_binary(minor: str = DEFAULT_MINOR) -> Path:
    """Path of kubectl, built if need be."""
    return binaries.ensure(recipes.kubernetes(minor)).with_name("kubectl")


def expose(cluster: Cluster, name: str, target: str, port: int | None) -> Door:
    """Open a door called `name`; one that is open already is moved. Raises DevclusterError when it cannot be opened."""
    with locked(cluster.lock, f"cluster {cluster.name}"):
        record = records.require(cluster)
        node, holder = running_node(cluster)
        known = record.doors.get(name)
        wanted_port = port or (known.port if known else records.any_port())
        door = Door(to=doors.resolve(target, _kubectl_of(cluster, record)), port=wanted_port)
        _open(node, doors.process_name(name), door, holder)
        records.save(cluster, record.model_copy(update={"doors": {**record.doors, name: door}}))
        return door


def unexpose(cluster: Cluster, name: str) -> None:
    """Close a door. Raises DevclusterError when there is none of that name."""
    with locked(cluster.lock, f"cluster {cluster.name}"):
        record = records.require(cluster)
        if name not in record.doors:
            raise DevclusterError(f"no door is called {name!r}: {', '.join(record.doors) or 'none is open'}")
        Node(cluster, binaries.ensure(recipes.PAUSE)).stop(doors.process_name(name))
        rest = {other: door for other, door in record.doors.items() if other != name}
        records.save(cluster, record.model_copy(update={"doors": rest}))


def load_images(cluster: Cluster, sources: list[str]) -> list[str]:
    """Load archives or buildah's images into the running cluster; returns the names of the images."""
    with locked(cluster.lock, f"cluster {cluster.name}"):
        if records.require(cluster).api_only:
            raise DevclusterError("this cluster has no node, so it runs no images")
        _, holder = running_node(cluster)
        loaded = []
        for source in sources:
            with step(f"loading {source}"):
                loaded += images.load(cluster, holder, source)
        return loaded


def running_node(cluster: Cluster) -> tuple[Node, int]:
    """The running side of a cluster and its holder's process id. Raises DevclusterError when it does not run."""
    node = Node(cluster, binaries.ensure(recipes.PAUSE))
    holder = node.holder()
    if holder is None:
        raise DevclusterError(f"cluster {cluster.name!r} is not running: `devcluster up --name {cluster.name}`")
    return node, holder


def check_same(cluster: Cluster, record: ClusterRecord, *, minor: str, api_only: bool) -> None:
    """Raise DevclusterError when a cluster exists as something else than what is asked for."""
    if (record.minor, record.api_only) != (minor, api_only):
        kind = "API server only" if record.api_only else "with a node"
        raise DevclusterError(
            f"cluster {cluster.name!r} exists with Kubernetes {record.minor}, {kind}: "
            f"`devcluster down --name {cluster.name}` first, or choose another --name"
        )


def _kubectl_of(cluster: Cluster, record: ClusterRecord) -> addons.Kubectl:
    return kubectl(cluster, DEFAULT_MINOR if record.api_only else record.minor)


def _start(cluster: Cluster, record: ClusterRecord, node: Node) -> None:
    tools = _kubectl_of(cluster, record)
    built = _binaries(record)
    if configure(cluster, record):
        node.stop_components()  # they read their configuration only when they start
    holder = node.ensure_holder()
    if not record.api_only:
        _start_runtime(cluster, node, holder)
    for component in components.control_plane(cluster, built):
        node.ensure(component, holder=holder)
    _open(node, doors.API_DOOR, doors.api_door(record.port), holder)
    node.wait("the API server", lambda: addons.api_answers(tools), deadline_s=API_DEADLINE_S)
    if not record.api_only:
        for component in components.controllers(cluster, built):
            node.ensure(component, holder=holder)
        addons.apply(tools)
        _wait_for_node(node, tools, holder)
    for name, door in record.doors.items():
        _open(node, doors.process_name(name), door, holder)


def _start_runtime(cluster: Cluster, node: Node, holder: int) -> None:
    """containerd, with the images that every pod needs, before anything can ask for a pod."""
    node.ensure(components.containerd(cluster), holder=holder)
    node.wait("containerd", lambda: images.answers(holder), deadline_s=30)
    images.load_system_images(holder)


def _wait_for_node(node: Node, tools: addons.Kubectl, holder: int) -> None:
    since = node.since("kubelet")
    node.wait("the node", lambda: addons.node_ready(tools, since=since), deadline_s=NODE_DEADLINE_S)
    node.wait("DNS", lambda: addons.dns_answers(holder), deadline_s=DNS_DEADLINE_S)
    node.wait("the pods", lambda: addons.pods_are_as_told(tools, holder), deadline_s=PODS_DEADLINE_S)


def _open(node: Node, name: str, door: Door, holder: int) -> None:
    binary = binaries.ensure(recipes.DOOR)
    node.ensure(doors.component(name, door, binary=binary, holder=holder), holder=None)
    node.wait(f"the door at 127.0.0.1:{door.port}", lambda: doors.listening(door.port), deadline_s=10)


def _binaries(record: ClusterRecord) -> components.Binaries:
    split = record.api_only and record.minor != DEFAULT_MINOR
    kube = binaries.ensure(recipes.kubernetes(record.minor, api_only=split)).parent
    storage = None if record.api_only else binaries.ensure(recipes.LOCAL_PATH).parent
    return components.Binaries(kube=kube, etcd=binaries.ensure(recipes.ETCD).parent, provisioner=storage)


def configure(cluster: Cluster, record: ClusterRecord) -> bool:
    """Write keys and configuration. True when a file that was there before has changed."""
    pki.ensure(cluster.pki)
    cni = checks.cni_folder() or checks.CNI_FOLDERS[0]
    changed = False
    for path, content in configuration(cluster, cni_plugins=cni).items():
        if path.is_file() and path.read_text() == content:
            continue
        changed = changed or path.is_file()
        write(path, content)
    pki.write_kubeconfigs(cluster, port=record.port)
    return changed


def configuration(cluster: Cluster, *, cni_plugins: Path) -> dict[Path, str]:
    """Every configuration file of the components, by path."""

    def text(value: Mapping[str, Any]) -> str:
        return yaml.safe_dump(dict(value), sort_keys=False)

    folder = cluster.config
    return {
        folder / "kubelet.yaml": text(components.kubelet_configuration(cluster)),
        folder / "containerd.toml": components.containerd_configuration(cluster, cni_plugins=cni_plugins),
        folder / "cni" / "10-bridge.conflist": json.dumps(components.network_configuration(cluster), indent=2),
        folder / "audit-policy.yaml": text(components.audit_policy()),
        folder / "storage.json": json.dumps(components.storage_configuration(cluster), indent=2),
        folder / "storage-helper-pod.yaml": text(components.storage_helper_pod()),
        # For pods that ask for the node's own DNS: nothing answers there, and quickly.
        folder / "resolv.conf": "nameserver 127.0.0.1\n",
    }
