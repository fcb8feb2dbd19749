"""What is built from Go modules: names, versions and flags of every binary. Pure data; `binaries` does the building."""

from dataclasses import dataclass

from devcluster.errors import DevclusterError
from devcluster.settings import DEFAULT_MINOR, kubernetes_version

COREDNS_VERSION = "1.14.7"
"""Also the tag of CoreDNS's image, so `manifests/dns.yaml` names it too."""


@dataclass(frozen=True)
class Recipe:
    """How to build one binary."""

    name: str
    version: str
    package: str = ""
    """Import path of a command that is built straight from the module proxy; empty for the modules in `go/`."""
    folder: str = ""
    """Folder below `go/` for the modules that are kept here."""
    modfile: str = "go.mod"
    tags: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    """Linker variables, `import/path.name=value`."""
    links: tuple[str, ...] = ()
    """Further names to call the binary by."""
    module: str = ""
    """The module that `package` is in, where files of it are needed too."""
    documents: tuple[str, ...] = ()
    """YAML files of the module, put together as `NAME.yaml` next to the binary."""


def kubernetes(minor: str = DEFAULT_MINOR, *, api_only: bool = False) -> Recipe:
    """All components in one binary, or the API server alone, which is quicker to build."""
    version = kubernetes_version(minor)
    told_by = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    facts = {"Version": f"v{version}", "Major": minor.split(".")[0], "Minor": minor.split(".")[1], "TreeState": "clean"}
    components = ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")
    return Recipe(
        name="kube-apiserver" if api_only else "kubernetes",
        version=version,
        folder="kubernetes",
        modfile="go.mod" if minor == DEFAULT_MINOR else f"{minor}.mod",
        tags=("apiserver_only",) if api_only else (),
        variables=tuple(f"{package}.git{fact}={value}" for package in told_by for fact, value in facts.items()),
        links=() if api_only else ("kube-apiserver", *components),
    )


ETCD = Recipe(name="etcd", version="3.6.16", folder="etcd")
COREDNS = Recipe(name="coredns", version=COREDNS_VERSION, folder="coredns")
PAUSE = Recipe(name="pause", version="1", folder="pause")
DOOR = Recipe(name="door", version="1", folder="door")
LOCAL_PATH = Recipe(
    name="local-path-provisioner",
    version="0.0.30",
    package="github.com/rancher/local-path-provisioner",
    variables=("main.VERSION=v0.0.30",),
)
HELM = Recipe(
    name="helm",
    version="3.22.0",
    package="helm.sh/helm/v3/cmd/helm",
    variables=("helm.sh/helm/v3/internal/version.version=v3.22.0",),
)
KWOK = Recipe(
    name="kwok",
    version="0.8.0",
    package="sigs.k8s.io/kwok/cmd/kwok",
    variables=("sigs.k8s.io/kwok/pkg/consts.Version=v0.8.0",),
    module="sigs.k8s.io/kwok",
    documents=(
        "kustomize/stage/node/fast/node-initialize.yaml",
        "kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
        "kustomize/stage/pod/fast/pod-ready.yaml",
        "kustomize/stage/pod/fast/pod-complete.yaml",
        "kustomize/stage/pod/fast/pod-delete.yaml",
    ),
)
"""Fake nodes and pods, for tests of scale: `kwok --config kwok.yaml`, which lies next to it, says how those behave."""

_BY_NAME = {recipe.name: recipe for recipe in (ETCD, COREDNS, PAUSE, DOOR, LOCAL_PATH, HELM, KWOK)}
BUILDABLE = ("kubernetes", "kube-apiserver", "kubectl", *_BY_NAME)
"""What `devcluster build` takes."""


def by_name(name: str, minor: str = DEFAULT_MINOR) -> Recipe:
    """The recipe of a binary in BUILDABLE. Raises DevclusterError for any other name."""
    if name == "kube-apiserver":
        return kubernetes(minor, api_only=True)
    if name in ("kubernetes", "kubectl"):
        return kubernetes(minor)
    if name not in _BY_NAME:
        raise DevclusterError(f"{name!r} is not among what can be built: {', '.join(BUILDABLE)}")
    return _BY_NAME[name]


def needed(minor: str, *, api_only: bool) -> tuple[Recipe, ...]:
    """What a cluster is made of. An API-only one uses kubectl of the default version."""
    if not api_only:
        return (kubernetes(minor), ETCD, COREDNS, PAUSE, DOOR, LOCAL_PATH)
    return (kubernetes(minor, api_only=minor != DEFAULT_MINOR), kubernetes(), ETCD, PAUSE, DOOR)
