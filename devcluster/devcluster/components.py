"""Command lines and configuration of the cluster's processes. Pure: paths in, text and arguments out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devcluster.settings import (
    API_PORT,
    DNS_ADDRESS,
    DOMAIN,
    NODE_ADDRESS,
    NODE_NAME,
    POD_RANGE,
    SERVICE_RANGE,
    Cluster,
)

PAUSE_IMAGE = "slipway.local/pause:1"
SHELL_IMAGE = "slipway.local/busybox:1"
"""A shell and the usual small programs; the storage provisioner's helper pods run it."""

PROVISIONER_NAMESPACE = "local-path-storage"
# Controllers throttle themselves at 20 requests a second by default, which is what a load test would then measure.
FAST = ("--kube-api-qps=1000", "--kube-api-burst=2000")


@dataclass(frozen=True)
class Component:
    """One process of the cluster."""

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Binaries:
    """Folders with the built programs."""

    kube: Path
    """Holds kube-apiserver and, unless the cluster has no node, its siblings."""
    etcd: Path
    provisioner: Path | None = None


def control_plane(cluster: Cluster, binaries: Binaries) -> tuple[Component, ...]:
    """etcd and the API server, in the order they start in."""
    return (etcd(cluster, binaries), api_server(cluster, binaries))


def controllers(cluster: Cluster, binaries: Binaries) -> tuple[Component, ...]:
    """What needs an API server that answers: controllers, scheduler, the node's agents, storage."""
    return (
        controller_manager(cluster, binaries),
        scheduler(cluster, binaries),
        kubelet(cluster, binaries),
        proxy(cluster, binaries),
        provisioner(cluster, binaries),
    )


def etcd(cluster: Cluster, binaries: Binaries) -> Component:
    return Component("etcd", (str(binaries.etcd / "etcd"), f"-data-dir={cluster.root / 'etcd'}", "-unsafe-no-fsync"))


def containerd(cluster: Cluster) -> Component:
    return Component("containerd", ("containerd", "--config", str(cluster.config / "containerd.toml")))


def api_server(cluster: Cluster, binaries: Binaries) -> Component:
    """Aggregation (--requestheader-*, --proxy-client-*) is on, so that metrics-server and KEDA can join later."""
    pki = cluster.pki
    arguments = (
        "--etcd-servers=http://127.0.0.1:2379",
        "--bind-address=0.0.0.0",
        f"--secure-port={API_PORT}",
        f"--advertise-address={NODE_ADDRESS}",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--client-ca-file={pki}/ca.crt",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
        # The node's name is in no DNS: without this, `kubectl exec` and `kubectl logs` cannot reach the kubelet.
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        f"--service-account-issuer=https://kubernetes.default.svc.{DOMAIN}",
        f"--service-account-key-file={pki}/service-accounts.pub",
        f"--service-account-signing-key-file={pki}/service-accounts.key",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={pki}/front-proxy-client.crt",
        f"--proxy-client-key-file={pki}/front-proxy-client.key",
        "--enable-aggregator-routing=true",
        f"--audit-policy-file={cluster.config / 'audit-policy.yaml'}",
        f"--audit-log-path={cluster.audit_log}",
        "--audit-log-maxsize=500",
        "--audit-log-maxbackup=2",
    )
    return Component("kube-apiserver", (str(binaries.kube / "kube-apiserver"), *arguments))


def controller_manager(cluster: Cluster, binaries: Binaries) -> Component:
    pki = cluster.pki
    arguments = (
        *_identity(cluster, "kube-controller-manager"),
        f"--service-account-private-key-file={pki}/service-accounts.key",
        f"--root-ca-file={pki}/ca.crt",
        f"--cluster-signing-cert-file={pki}/ca.crt",
        f"--cluster-signing-key-file={pki}/ca.key",
        "--use-service-account-credentials",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        *FAST,
    )
    return Component("kube-controller-manager", (str(binaries.kube / "kube-controller-manager"), *arguments))


def scheduler(cluster: Cluster, binaries: Binaries) -> Component:
    arguments = (*_identity(cluster, "kube-scheduler"), "--leader-elect=false", "--bind-address=127.0.0.1", *FAST)
    return Component("kube-scheduler", (str(binaries.kube / "kube-scheduler"), *arguments))


def kubelet(cluster: Cluster, binaries: Binaries) -> Component:
    arguments = (
        f"--kubeconfig={cluster.config / 'kubelet.kubeconfig'}",
        f"--config={cluster.config / 'kubelet.yaml'}",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={NODE_ADDRESS}",
    )
    return Component("kubelet", (str(binaries.kube / "kubelet"), *arguments))


def proxy(cluster: Cluster, binaries: Binaries) -> Component:
    arguments = (
        f"--kubeconfig={cluster.config / 'kube-proxy.kubeconfig'}",
        f"--hostname-override={NODE_NAME}",
        "--proxy-mode=iptables",
        f"--cluster-cidr={POD_RANGE}",
        # These would write limits that belong to the whole machine and cannot be written from a network namespace.
        "--conntrack-max-per-core=0",
        "--conntrack-min=0",
        "--oom-score-adj=0",
        *FAST,
    )
    return Component("kube-proxy", (str(binaries.kube / "kube-proxy"), *arguments))


def provisioner(cluster: Cluster, binaries: Binaries) -> Component:
    """Makes volumes for the default StorageClass. A process rather than a pod: one image and one rollout less."""
    command = (
        str((binaries.provisioner or binaries.kube) / "local-path-provisioner"),
        "start",
        f"--config={cluster.config / 'storage.json'}",
        f"--helper-pod-file={cluster.config / 'storage-helper-pod.yaml'}",
        f"--helper-image={SHELL_IMAGE}",
        f"--namespace={PROVISIONER_NAMESPACE}",
        f"--kubeconfig={cluster.config / 'storage.kubeconfig'}",
    )
    return Component("local-path-provisioner", command)


def _identity(cluster: Cluster, name: str) -> tuple[str, ...]:
    file = cluster.config / f"{name}.kubeconfig"
    return (f"--kubeconfig={file}", f"--authentication-kubeconfig={file}", f"--authorization-kubeconfig={file}")


DISK_SIGNALS = ("nodefs.available", "nodefs.inodesFree", "imagefs.available", "imagefs.inodesFree")
"""What the kubelet may evict pods for, about disks."""


def kubelet_configuration(cluster: Cluster) -> Mapping[str, Any]:
    """The kubelet's configuration file.

    Nothing is evicted or collected for lack of disk: images cannot be pulled again, and the disk is the user's own.
    """
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{cluster.pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{cluster.pki}/kubelet-server.crt",
        "tlsPrivateKeyFile": f"{cluster.pki}/kubelet-server.key",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "volumePluginDir": str(cluster.root / "volume-plugins"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cluster.cgroup}",
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": DOMAIN,
        "resolvConf": str(cluster.config / "resolv.conf"),
        "maxPods": 200,
        "serializeImagePulls": False,
        # Changed Secrets and ConfigMaps reach volumes at this pace; a minute by default.
        "syncFrequency": "10s",
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", **dict.fromkeys(DISK_SIGNALS, "0%")},
        "containerLogMaxSize": "50Mi",
        "kubeAPIQPS": 1000,
        "kubeAPIBurst": 2000,
    }


def containerd_configuration(cluster: Cluster, *, cni_plugins: Path) -> str:
    """containerd's configuration file.

    `restrict_oom_score_adj`: where root lacks CAP_SYS_RESOURCE (many virtual machines), lowering a score is refused and
    every pod would die at its start. Pods' network namespaces go where the cluster's mount namespace takes them along.
    """
    return f"""\
version = 2
root = "{cluster.root}/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]

[grpc]
  address = "/run/containerd/containerd.sock"

[plugins."io.containerd.internal.v1.opt"]
  path = "{cluster.root}/containerd-opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni_plugins}"
    conf_dir = "{cluster.config}/cni"
"""


def network_configuration(cluster: Cluster) -> Mapping[str, Any]:
    """The pods' network: one bridge, addresses handed out on the node. NetworkPolicies are accepted, not enforced."""
    return {
        "cniVersion": "0.4.0",
        "name": cluster.context,
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "ipMasq": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": POD_RANGE}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def audit_policy() -> Mapping[str, Any]:
    """Who did what to which object and with which outcome, for every request of users, operators and pods.

    Left out: health checks, and what Kubernetes' own components read all day long. Their writes are in.
    """
    own = [
        "kube-apiserver",
        "system:apiserver",
        "system:kube-controller-manager",
        "system:kube-scheduler",
        "system:kube-proxy",
    ]
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/metrics"]},
            {"level": "None", "users": own, "verbs": ["get", "list", "watch"]},
            {"level": "None", "userGroups": ["system:nodes"], "verbs": ["get", "list", "watch"]},
            {
                "level": "None",
                "users": ["system:serviceaccount:kube-system:coredns"],
                "verbs": ["get", "list", "watch"],
            },
            {"level": "Metadata"},
        ],
    }


def storage_configuration(cluster: Cluster) -> Mapping[str, Any]:
    """Where the provisioner puts volumes."""
    path = str(cluster.root / "volumes")
    return {
        "nodePathMap": [{"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": [path]}],
    }


def storage_helper_pod() -> Mapping[str, Any]:
    """The pod that makes and removes a volume's folder on the node."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "helper-pod"},
        "spec": {
            "priorityClassName": "system-node-critical",
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "helper-pod", "image": SHELL_IMAGE, "imagePullPolicy": "IfNotPresent"}],
        },
    }
