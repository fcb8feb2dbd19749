"""Which cluster is used: one that was named, else one of the demo's own; never one that merely is current."""

import pytest

from slipway_demo import clusters
from slipway_demo.builders import is_loopback
from slipway_demo.clusters import Devcluster, GivenCluster, KindCluster, choose
from slipway_demo.errors import DemoError


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
