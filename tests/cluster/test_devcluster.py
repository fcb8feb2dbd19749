"""`devcluster` from start to end: two real clusters on this machine, broken, fixed and removed again.

The tests run in the order they are written in and share the first cluster, which starts in seconds once it is built.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Barrier

import pytest

from devcluster import archives, cgroups, processes
from devcluster.settings import Cluster, cluster

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(os.geteuid() != 0, reason="a cluster needs root"),
]
ONE, TWO = cluster("selftest"), cluster("selftest-2")
SHELL = "slipway.local/busybox:1"


def run(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    command = [sys.executable, "-m", "devcluster", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def devcluster(*arguments: str, stdin: str | None = None, status: int = 0) -> str:
    """What the command printed, its result first and then its messages; it must end with that status."""
    done = run(*arguments, stdin=stdin)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def kubectl(of: Cluster, *arguments: str, stdin: str | None = None) -> str:
    return devcluster("kubectl", "--name", of.name, "--", *arguments, stdin=stdin)


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"not within 60 s: {what}"


def pids(of: Cluster) -> dict[str, int]:
    """Process ids of the components that run, by name."""
    records = {path.stem: processes.read_record(path) for path in of.records.glob("*.json")}
    return {name: record.pid for name, record in records.items() if record and processes.running(record)}


def kill(of: Cluster, *names: str) -> None:
    """Kill components as a crash would, and wait until they are gone."""
    victims = {name: pid for name, pid in pids(of).items() if name in names}
    assert set(victims) == set(names)
    for pid in victims.values():
        os.kill(pid, signal.SIGKILL)
    until(lambda: not set(names) & set(pids(of)), "the killed components end")


@pytest.fixture(scope="module", autouse=True)
def one() -> Iterator[Cluster]:
    """The cluster that the tests share."""
    for each in (ONE, TWO):
        devcluster("down", "--name", each.name)
    devcluster("up", "--name", ONE.name)
    yield ONE
    for each in (ONE, TWO):
        devcluster("down", "--name", each.name)


def pod(
    name: str,
    *,
    image: str = SHELL,
    script: str = "sleep 100000",
    container: Mapping[str, object] | None = None,
    volumes: Sequence[Mapping[str, object]] = (),
) -> str:
    """Manifest of a pod with one container that runs a shell script; `container` adds fields to it."""
    command = ["sh", "-c", script]
    main = {"name": "main", "image": image, "command": command, "imagePullPolicy": "IfNotPresent", **(container or {})}
    spec = {"containers": [main], "volumes": list(volumes), "terminationGracePeriodSeconds": 0}
    metadata = {"name": name, "labels": {"app": name}}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


def start(of: Cluster, manifest: str) -> None:
    """Apply a pod and wait until it is ready."""
    kubectl(of, "apply", "-f", "-", stdin=manifest)
    name = json.loads(manifest)["metadata"]["name"]
    kubectl(of, "wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")


def test_a_second_up_leaves_everything_alone() -> None:
    before = pids(ONE)
    assert "was up already" in devcluster("up", "--name", ONE.name)
    assert pids(ONE) == before
    assert {"etcd", "containerd", "kube-apiserver", "kubelet", "kube-proxy", "api-door"} <= set(before)


def test_the_status_is_healthy_and_names_what_a_user_needs() -> None:
    shown = devcluster("status", "--name", ONE.name)
    for text in ("kubelet", "https://127.0.0.1:", "Ready", str(ONE.kubeconfig), str(ONE.audit_log), SHELL):
        assert text in shown


def test_kubectl_and_the_server_are_of_the_same_version() -> None:
    versions = json.loads(kubectl(ONE, "version", "--output=json"))
    assert versions["clientVersion"]["gitVersion"] == versions["serverVersion"]["gitVersion"] == "v1.34.4"


CLAIM = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
)


def test_a_claim_without_a_class_is_bound_and_written_to() -> None:
    kubectl(ONE, "apply", "-f", "-", stdin=CLAIM)
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    mount = {"name": "data", "mountPath": "/data"}
    script = "date >> /data/starts; sleep 100000"
    start(ONE, pod("writer", script=script, volumes=[volume], container={"volumeMounts": [mount]}))
    assert "Bound" in kubectl(ONE, "get", "pvc", "data")
    until(lambda: starts() is not None, "the kubelet knows its pods again")
    assert starts() == 1


def test_names_in_the_cluster_resolve_and_others_fail_at_once() -> None:
    start(ONE, pod("shell", script="echo hello; sleep 100000"))
    name = "kubernetes.default.svc.cluster.local"
    assert "10.96.0.1" in kubectl(ONE, "exec", "shell", "--", "nslookup", "-type=a", name)
    ask = ["timeout", "5", "nslookup", "example.com"]
    assert "NXDOMAIN" in devcluster("kubectl", "--name", ONE.name, "--", "exec", "shell", "--", *ask, status=1)
    assert kubectl(ONE, "logs", "shell") == "hello\n"


def test_pods_that_break_the_restricted_standard_are_refused_where_it_is_enforced() -> None:
    kubectl(ONE, "create", "namespace", "strict")
    kubectl(ONE, "label", "namespace", "strict", "pod-security.kubernetes.io/enforce=restricted")
    arguments = ("kubectl", "--name", ONE.name, "--", "apply", "--namespace=strict", "-f", "-")
    assert "violates PodSecurity" in devcluster(*arguments, stdin=pod("rude"), status=1)


def test_the_audit_log_tells_who_wrote_what_with_which_outcome() -> None:
    kubectl(
        ONE, "create", "configmap", "audited", "--as=system:serviceaccount:default:writer", "--as-group=system:masters"
    )

    def entries() -> list[dict[str, object]]:
        events = [json.loads(line) for line in devcluster("logs", "audit", "--name", ONE.name).splitlines()]
        return [event for event in events if event.get("objectRef", {}).get("name") == "audited"]

    until(lambda: bool(entries()), "the request is in the audit log")
    (event,) = entries()
    assert event["verb"] == "create"
    assert event["responseStatus"] == {"metadata": {}, "code": 201}
    assert event["impersonatedUser"] == {
        "username": "system:serviceaccount:default:writer",
        "groups": ["system:masters", "system:authenticated"],
    }


def test_an_image_is_loaded_once_and_runs(tmp_path: Path) -> None:
    program = tmp_path / "hello"
    program.write_text("#!/bin/sh\necho hello from an archive\nsleep 100000\n")
    busybox = {"/bin/busybox": Path("/bin/busybox"), "/hello": program}
    links = {"/bin/sh": "busybox", "/bin/sleep": "busybox"}
    archive, reference = tmp_path / "hello.tar", "slipway.local/hello:1"
    archives.write_archive(archives.Image(reference, busybox, ["/hello"], links=links), archive)
    for _ in range(2):
        assert devcluster("load-image", str(archive), "--name", ONE.name).startswith(reference)
    start(ONE, pod("hello", image=reference, script="exec /hello"))
    assert kubectl(ONE, "logs", "hello") == "hello from an archive\n"


def test_an_image_that_is_nowhere_is_refused() -> None:
    message = devcluster("load-image", "slipway.local/nowhere:1", "--name", ONE.name, status=1)
    assert "neither a file nor an image of buildah's" in message


WEB = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8000}]},
    }
)


def served(port: int) -> bool:
    """Whether the service behind a door answers: it leads to a pod only a moment after the pod is ready."""
    with suppress(OSError, HTTPException), closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    return False


def test_a_service_bears_200_connections_at_once_through_its_door() -> None:
    probe = {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1}
    script = "mkdir /tmp/www; echo hello from web > /tmp/www/index.html; exec httpd -f -p 8000 -h /tmp/www"
    kubectl(ONE, "apply", "-f", "-", stdin=WEB)
    start(ONE, pod("web", script=script, container={"readinessProbe": probe}))
    address = devcluster("expose", "web", "--to", "web.default:80", "--name", ONE.name).splitlines()[0]
    port = int(address.removeprefix("127.0.0.1:"))
    until(lambda: served(port), "kube-proxy has heard of the pod")
    connected = Barrier(200)

    def ask(_: int) -> bytes:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.connect()
        except OSError:
            connected.abort()  # nobody need wait for this one
            raise
        connected.wait(60)  # all 200 are open now
        connection.request("GET", "/")
        answer = connection.getresponse().read()
        connection.close()
        return answer

    with ThreadPoolExecutor(200) as threads:
        assert set(threads.map(ask, range(200))) == {b"hello from web\n"}


def test_a_door_to_no_service_is_refused() -> None:
    message = devcluster("expose", "x", "--to", "nobody.default:80", "--name", ONE.name, status=1)
    assert 'services "nobody" not found' in message


def starts() -> int | None:
    """How often the pod that writes was started; None while the kubelet cannot lead into it."""
    done = run("kubectl", "--name", ONE.name, "--", "exec", "writer", "--", "cat", "/data/starts")
    return len(done.stdout.splitlines()) if done.returncode == 0 else None


def test_killed_components_come_back_and_pods_do_not_notice() -> None:
    before = pids(ONE)
    kill(ONE, "kube-apiserver", "kubelet")
    assert "does not answer" in devcluster("status", "--name", ONE.name, status=1)
    assert "started again: kube-apiserver, kubelet" in devcluster("up", "--name", ONE.name)
    changed = {name for name, pid in pids(ONE).items() if before.get(name) != pid}
    assert changed == {"kube-apiserver", "kubelet"}
    until(lambda: starts() is not None, "the kubelet knows its pods again")
    assert starts() == 1


def test_after_everything_was_killed_it_comes_back_with_its_data() -> None:
    for pid in cgroups.members(ONE.cgroup):
        with suppress(ProcessLookupError):  # it went with one that was killed before it
            os.kill(pid, signal.SIGKILL)
    until(lambda: not cgroups.members(ONE.cgroup), "everything is dead")
    devcluster("up", "--name", ONE.name)
    devcluster("status", "--name", ONE.name)
    kubectl(ONE, "wait", "--for=condition=Ready", "pod/writer", "--timeout=60s")
    until(lambda: starts() is not None, "the kubelet knows its pods again")
    assert starts() == 2
    assert "door web" in devcluster("status", "--name", ONE.name)


def test_records_that_name_other_processes_are_not_believed() -> None:
    kill(ONE, "etcd")
    path = ONE.records / "etcd.json"
    stale = json.loads(path.read_text())
    path.write_text(json.dumps({**stale, "pid": os.getpid()}))
    devcluster("up", "--name", ONE.name)
    assert pids(ONE)["etcd"] not in (stale["pid"], os.getpid())


def test_a_second_cluster_lives_beside_the_first_and_leaves_without_it() -> None:
    before = pids(ONE)
    devcluster("up", "--name", TWO.name)
    assert not set(pids(TWO).values()) & set(before.values())
    start(TWO, pod("alone"))
    assert "web" not in kubectl(TWO, "get", "services")
    assert "alone" not in kubectl(ONE, "get", "pods")
    for each in (ONE, TWO):
        devcluster("status", "--name", each.name)
    devcluster("down", "--name", TWO.name)
    assert pids(ONE) == before
    devcluster("status", "--name", ONE.name)
    _assert_nothing_is_left(TWO)


def test_an_existing_cluster_is_not_turned_into_another_kind() -> None:
    assert "`devcluster down --name selftest` first" in devcluster("up", "--name", ONE.name, "--api-only", status=1)


def test_down_leaves_nothing() -> None:
    ours = Path("/proc/self/ns/net").readlink()
    with ExitStack() as held:
        theirs = {
            Path(f"/proc/self/fd/{_held(path, held)}").readlink()
            for path in _network_namespaces(cgroups.members(ONE.cgroup)).values()
        } - {ours}  # the doors are in ours
        assert len(theirs) >= 2  # the cluster's own, and a pod's
        devcluster("down", "--name", ONE.name)
        _assert_nothing_is_left(ONE)
        everybody = set(_network_namespaces(int(name) for name in os.listdir("/proc") if name.isdigit()))
        assert ours in everybody
        assert not theirs & everybody
    assert "there was no cluster" in devcluster("down", "--name", ONE.name)


def _held(namespace: Path, held: ExitStack) -> int:
    """The namespace held open until `held` ends: as long, no other cluster's namespace can get its number."""
    descriptor = os.open(namespace, os.O_RDONLY)
    held.callback(os.close, descriptor)
    return descriptor


def _assert_nothing_is_left(gone: Cluster) -> None:
    assert not gone.root.exists()
    assert not cgroups.members(gone.cgroup)
    assert not [mount for mount in cgroups.hierarchies().mounts if (mount / gone.cgroup).exists()]
    assert str(gone.root) not in Path("/proc/self/mounts").read_text()
    mentions = [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(gone.root).encode() + b"/" in _read(path)]
    assert not mentions


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _network_namespaces(of: Iterable[int]) -> dict[Path, Path]:
    """Network namespace -> where to open it, of those that the processes are in."""
    found = {}
    for pid in of:
        try:
            where = Path(f"/proc/{pid}/ns/net")
            found[where.readlink()] = where
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # ended meanwhile, or has rights that we lack, so that we cannot have started it
    return found


def test_a_control_plane_lives_for_one_command() -> None:
    command = ["sh", "-c", "kubectl get --raw /readyz && exit 7"]
    kubectl_folder = str(Path(devcluster("build", "kubectl").splitlines()[-1]).parent)
    env_path = f"PATH={kubectl_folder}:{os.environ['PATH']}"
    assert "ok" in devcluster("control-plane", "--", "env", env_path, *command, status=7)
