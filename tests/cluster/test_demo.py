"""`make demo` as a newcomer runs it, on the cluster of the tests."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway_demo import chart, diagnosis, waiting
from slipway_demo.errors import DemoError
from tests.support.cluster import Installation
from tests.support.operator_bench import new_bench
from tests.support.stand_in import sources, stand_in

pytestmark = pytest.mark.cluster

KEY = "sk-of-the-tests"


@pytest.fixture(scope="module", autouse=True)
def restored_at_the_end(installation: Installation) -> Iterator[None]:
    """The demo installs with its own values; the tests after these want theirs."""
    yield
    installation.restore()


def _demo(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command, variables = [sys.executable, "-m", "slipway_demo", *arguments], {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=900, env=variables)


def test_the_demo_answers_with_citations_and_says_how_to_go_on(installation: Installation) -> None:
    done = _demo("up", f"--name={installation.target.name}")
    shown = done.stdout + done.stderr
    assert done.returncode == 0, shown
    assert re.search(r"\[1\] \S+\.md › ", shown), shown
    assert re.search(r"The gateway is at http://127\.0\.0\.1:\d+\. Its API key for this demo is slipway-\S+", shown)
    assert re.search(r"Took \d+:\d\d with warm caches; the bar is 3:00: (met|MISSED)", shown)
    assert "make down" in shown
    curl = next(line for line in shown.splitlines() if line.strip().startswith("curl "))
    answer = subprocess.run(shlex.split(curl), capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout)["agent_used"] == "demo/handbook"
    look = next(line for line in shown.splitlines() if line.strip().startswith("eval "))
    listed = subprocess.run(
        ["bash", "-ec", f"{look}\nkubectl get agents -A"], capture_output=True, text=True, check=True
    )
    assert "handbook" in listed.stdout


@pytest.fixture
def model(installation: Installation) -> Iterator[str]:
    """Base URL of a stand-in for OpenAI, which quotes the documents and takes one key."""
    with new_bench(installation) as made:
        made.apply(sources(made.namespace), *stand_in(installation, made.namespace, "llm", f"--key={KEY}", "--quote"))
        yield f"http://llm.{made.namespace}.svc/v1"
    installation.kube.run("delete", "agent/assistant", "secret/openai", "--namespace=demo")


def test_a_model_writes_the_demos_answer_with_a_key_from_the_environment(
    installation: Installation, model: str
) -> None:
    options = (f"--name={installation.target.name}", "--model=openai:gpt-5-mini", f"--model-base-url={model}")
    done = _demo("up", *options, OPENAI_API_KEY=KEY)
    shown = done.stdout + done.stderr
    assert done.returncode == 0, shown
    assert re.search(r"\[1\] \S+\.md › ", shown), shown
    assert KEY not in shown
    curl = next(line for line in shown.splitlines() if line.strip().startswith("curl "))
    for path in ("/agents/demo/assistant/chat", "/agent/chat"):
        command = shlex.split(curl.replace("/agents/demo/assistant/chat", path))
        answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        assert (answer["agent_used"], answer["model"]) == ("demo/assistant", "openai:gpt-5-mini")
        assert answer["sources"]
    assert installation.kube.get("agent", "assistant", "--namespace=demo")["status"]["phase"] == "Ready"


def test_a_cluster_that_was_named_but_does_not_answer_is_said_to(tmp_path: Path) -> None:
    done = _demo("up", "--context=no-such-context", "--registry=registry.example/slipway")
    assert done.returncode == 1
    assert "the cluster of context 'no-such-context' does not answer" in done.stderr


def test_a_registry_without_a_cluster_is_refused() -> None:
    done = _demo("up", "--registry=registry.example/slipway")
    assert done.returncode == 1
    assert "CONTEXT=name" in done.stderr


@pytest.fixture
def broken(installation: Installation) -> Iterator[str]:
    """A namespace with an agent that waits for an index, and a pod that ends with words of its own."""
    name = "broken"
    reference = {"name": "docs", "indexRef": {"name": "missing"}}
    agent = {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "Agent",
        "metadata": {"name": "lonely", "namespace": name},
        "spec": {"knowledge": [reference]},
    }
    container = {
        "name": "main",
        "image": f"slipway.local/runtime:{installation.tags['runtime']}",
        "command": ["sh", "-c", "echo the disk is full; exit 3"],
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "failing", "namespace": name},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    }
    try:
        installation.kube.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, agent, pod])
        failed = "--for=jsonpath={.status.phase}=Failed"
        installation.kube.run("wait", f"--namespace={name}", failed, "pod/failing", "--timeout=60s")
        yield name
    finally:
        installation.kube.run("delete", "namespace", name, "--wait=false", "--ignore-not-found")


def test_what_does_not_come_up_is_said_with_what_to_look_at(installation: Installation, broken: str) -> None:
    with pytest.raises(DemoError, match=r"Agent lonely: WaitingForIndex"):
        waiting.for_kinds(installation.kube, broken, deadline_s=5)
    page = diagnosis.describe(installation.kube, (broken, chart.NAMESPACE))
    assert "Agent lonely: WaitingForIndex" in page
    assert "pod broken/failing: ended with status 3" in page
    assert "    the disk is full" in page
