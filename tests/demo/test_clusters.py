"""Which cluster is used: one that was named, else one of the demo's own; never one that merely is current."""

import re
import stat
from pathlib import Path

import pytest
import yaml

from slipway_demo import clusters
from slipway_demo.builders import is_loopback
from slipway_demo.clusters import Devcluster, GivenCluster, KindCluster, choose
from slipway_demo.errors import DemoError
from slipway_demo.paths import ROOT


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A machine with or without a docker daemon and kind."""
    monkeypatch.setattr(clusters, "succeeds", lambda command: request.param)


@pytest.mark.parametrize(
    ("docker", "context", "expected"),
    [
        (False, None, Devcluster("devcluster")),
        (True, None, KindCluster()),
        (False, "prod", GivenCluster("prod", "r.example/slipway")),
        (True, "prod", GivenCluster("prod", "r.example/slipway")),
    ],
    indirect=["docker"],
)
@pytest.mark.usefixtures("docker")
def test_choice(context: str | None, expected: object) -> None:
    assert choose(context=context, registry="r.example/slipway" if context else None) == expected


def test_a_registry_alone_names_no_cluster() -> None:
    with pytest.raises(DemoError, match="CONTEXT=name"):
        choose(context=None, registry="r.example/slipway")


def test_a_given_cluster_needs_a_registry() -> None:
    with pytest.raises(DemoError, match="REGISTRY=host/path"):
        GivenCluster("prod", None).publish(builder=None, tags={})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("destination", "plain"),
    [("127.0.0.1:5000/a:1", True), ("localhost:5000/a", True), ("r.example/localhost/a:1", False)],
)
def test_only_registries_on_this_machine_speak_plain_http(destination: str, plain: bool) -> None:
    assert is_loopback(destination) is plain


def test_the_nightly_job_on_docker_looks_for_what_the_demo_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = tmp_path / "kind"
    kind.write_text("#!/bin/sh\n")
    kind.chmod(kind.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    KindCluster().start()
    said = f"{''.join(capsys.readouterr())}\n{KindCluster().hint()}"
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "e2e.yaml").read_text())
    steps = "\n".join(step.get("run", "") for step in workflow["jobs"]["kind"]["steps"])
    wanted = re.findall(r'grep -F "([^"]+)" demo\.log', steps)
    assert len(wanted) == 2
    assert [text for text in wanted if text not in said] == []
    assert [text for text in wanted if text in Devcluster("devcluster").hint()] == []
