"""The command names its cluster to every program that it starts, and asks for no more than the step needs."""

import json
import os
import sys
from pathlib import Path

import pytest

from devcluster import binaries
from scripts.deploy.__main__ import main

# Writes down what it was asked for, and knows a release with its gateway.
TOOL = """#!{python}
import sys
with open({log!r}, "a") as log:
    log.write({name!r} + " " + " ".join(sys.argv[1:]) + chr(10))
if "list" in sys.argv:
    print('[{{"revision": "7"}}]')
elif "get" in sys.argv:
    print({gateway!r})
"""
GATEWAY = json.dumps(
    {"kind": "Deployment", "metadata": {"name": "slipway-gateway"}, "spec": {"replicas": 1, "template": {}}}
)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What kubectl and helm were asked for, a line a call."""
    for name in ("kubectl", "helm"):
        tool = tmp_path / name
        log = str(tmp_path / "log")
        tool.write_text(TOOL.format(python=sys.executable, log=log, name=name, gateway=GATEWAY))
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(binaries, "ensure", lambda _: tmp_path / "helm")
    return tmp_path / "log"


def test_going_back_needs_a_cluster_and_nothing_else(log: Path) -> None:
    assert main(["roll-back", "--context=theirs"]) == 0
    calls = log.read_text().splitlines()
    assert [call.split()[1] for call in calls if call.startswith("kubectl")] == ["--context=theirs"] * 5
    assert [call.split()[1] for call in calls if call.startswith("helm")] == ["--kube-context=theirs"] * 2


def test_a_cluster_that_nobody_named_is_not_touched(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["roll-back"])
    assert "--context" in capsys.readouterr().err
    assert not log.exists()


@pytest.mark.parametrize("step", ["start", "compare", "switch", "finish"])
def test_no_strategy_and_no_values_are_taken_for_granted(
    log: Path, step: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([step, "--context=theirs", "--published=.make/published.json"]) == 1
    assert f"{step} needs more: say STRATEGY=..., VALUES=..." in "".join(capsys.readouterr())
    assert not log.exists()
