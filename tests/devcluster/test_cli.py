"""What the command says when it cannot do what it was asked."""

import sys
from pathlib import Path

import pytest

from devcluster import cli, lifecycle, views
from devcluster.errors import DevclusterError
from devcluster.records import ClusterRecord, Door, save
from devcluster.settings import Cluster, cluster


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 0)


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["devcluster", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["down", "--name", "A"], "at most 20 lower-case letters"),
        (["kubeconfig"], "devcluster up --name devcluster"),
        (["logs", "etcd", "--name", "two"], "devcluster up --name two"),
        (["build", "kwark"], "is not among what can be built"),
        (["build", "kubernetes", "--kubernetes", "1.20"], "choose one of 1.34, 1.36"),
        (["control-plane"], "give a command to run"),
    ],
)
def test_mistakes_end_with_status_1_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert _run(monkeypatch, *arguments) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["down"], ["status"], ["load-image", "x"], ["expose", "x", "--to=a.b:1"], ["unexpose", "x"], ["base-image"]],
)
def test_what_only_root_may_do_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert _run(monkeypatch, *arguments) == 1
    assert "run it as root" in capsys.readouterr().err


def test_logs_of_an_unknown_component_name_the_known_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save(cluster("two"), ClusterRecord(port=1))
    cluster("two").logs.mkdir()
    for name in ("etcd.log", "audit.log", "audit-2026-11-22T13-00-00.000.log"):
        (cluster("two").logs / name).touch()
    assert _run(monkeypatch, "logs", "etc", "--name", "two") == 1
    assert "there is no log of 'etc': audit, etcd" in capsys.readouterr().err


def test_the_kubeconfig_is_printed_as_path_or_content(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save(cluster("two"), ClusterRecord(port=1))
    cluster("two").kubeconfig.write_text("kind: Config\n")
    assert _run(monkeypatch, "kubeconfig", "--name", "two") == 0
    assert capsys.readouterr().out == f"{cluster('two').kubeconfig}\n"
    assert _run(monkeypatch, "kubeconfig", "--name", "two", "--print") == 0
    assert "kind: Config" in capsys.readouterr().out


def test_a_cluster_is_not_started_as_something_else() -> None:
    record = ClusterRecord(minor="1.34", port=1)
    lifecycle.check_same(Cluster("two"), record, minor="1.34", api_only=False)
    with pytest.raises(
        DevclusterError, match=r"exists with Kubernetes 1.34, with a node: `devcluster down --name two`"
    ):
        lifecycle.check_same(Cluster("two"), record, minor="1.36", api_only=False)


def test_down_leaves_what_others_have_mounted_alone() -> None:
    mounts = "proc /proc proc rw 0 0\ntmpfs /s/two/x tmpfs rw 0 0\ntmpfs /s/two-2/x tmpfs rw 0 0\n"
    assert lifecycle.mounts_below(Path("/s/two"), mounts) == ["/s/two/x"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.9, "3 s"), (65, "1 min 5 s"), (3600, "1 h 0 min"), (90061, "25 h 1 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert views.duration(seconds) == text


def _status(*, pid: int | None = 1, api: bool = True, node: bool = True, api_only: bool = False) -> views.Status:
    record = ClusterRecord(port=16443, api_only=api_only, doors={"gw": Door(to="10.96.0.2:80", port=8080)})
    rows = (views.Row("etcd", pid, since=0, memory=2**20),)
    return views.Status(Cluster("two"), record, rows, api=api, node=node, dns=node, images=())


@pytest.mark.parametrize(
    ("status", "healthy"),
    [
        (_status(), True),
        (_status(pid=None), False),
        (_status(api=False), False),
        (_status(node=False), False),
        (_status(node=False, api_only=True), True),
    ],
)
def test_a_cluster_is_healthy_only_as_a_whole(status: views.Status, healthy: bool) -> None:
    assert status.healthy is healthy
    assert ("to fix it" in dict(views.details(status))) is not healthy


def test_the_status_shows_processes_addresses_and_doors(capsys: pytest.CaptureFixture[str]) -> None:
    views.show(_status(pid=None))
    shown = capsys.readouterr().out
    for text in ("etcd", "not running", "https://127.0.0.1:16443", "127.0.0.1:8080 -> 10.96.0.2:80", "audit.log"):
        assert text in shown
