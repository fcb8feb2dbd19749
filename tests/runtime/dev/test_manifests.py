"""What a set of manifests amounts to, and what is said about one that cannot be served."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway_crds.manifests import ManifestError
from slipway_runtime.dev.agents import agents_in
from slipway_runtime.dev.indexes import indexes_in
from slipway_runtime.dev.manifests import InvalidManifests, NamespacedName, load

Write = Callable[[str], Path]

INDEX = """
apiVersion: slipway.dev/v1alpha1
kind: VectorIndex
metadata: {name: handbook, namespace: demo}
spec:
  backend: {chroma: {}}
  sources: [{name: docs, configMap: {name: docs}}]
---
"""
AGENT = """
apiVersion: slipway.dev/v1alpha1
kind: Agent
metadata: {name: support, namespace: demo}
spec:
  knowledge: [{name: handbook, indexRef: {name: handbook}}]
---
"""
DOCUMENTS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: docs, namespace: demo}
data: {a.md: "# A"}
binaryData: {b.bin: "/w==", c.md: "IyBD\\n"}
---
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        (tmp_path / "manifests.yaml").write_text(text)
        return tmp_path

    return write


def test_agents_indexes_and_documents_are_put_together(write: Write) -> None:
    manifests = load([write(AGENT + INDEX + DOCUMENTS)])
    (agent,) = agents_in(manifests)
    (index,) = indexes_in(manifests)
    assert (agent.namespace, agent.name, agent.knowledge[0].index) == ("demo", "support", "handbook")
    assert index.key == NamespacedName("demo", "handbook")
    assert index.sources["docs"]["a.md"] == b"# A"
    assert manifests.warnings == ()


def test_what_is_ignored_is_named_with_the_reason(write: Write) -> None:
    agent = AGENT.replace("spec:", "spec:\n  scaling: {min: 2}\n  limits: {inFlight: 3}")
    assert load([write(agent + INDEX + DOCUMENTS)]).warnings == (
        "Agent demo/support: spec.scaling has no effect here. One process serves everything.",
    )


def test_binary_data_is_what_a_pod_would_find(write: Write) -> None:
    (index,) = indexes_in(load([write(INDEX + DOCUMENTS)]))
    assert index.sources["docs"]["b.bin"] == base64.b64decode("/w==")
    assert index.sources["docs"]["c.md"] == b"# C"


def test_a_config_map_that_a_cluster_refuses_is_refused(write: Write) -> None:
    with pytest.raises(InvalidManifests, match=r"data\.a/b\.md: cannot be a key"):
        load([write(INDEX + DOCUMENTS.replace("a.md", "a/b.md"))])


def test_a_null_in_a_config_map_is_an_empty_document(write: Write) -> None:
    (index,) = indexes_in(load([write(INDEX + DOCUMENTS.replace('"# A"', "~"))]))
    assert index.sources["docs"]["a.md"] == b""


def test_the_order_of_objects_means_nothing(write: Write) -> None:
    assert load([write(AGENT + INDEX + DOCUMENTS)]) == load([write(DOCUMENTS + INDEX + AGENT)])


def test_what_is_missing_is_a_warning_and_the_rest_is_served(write: Write) -> None:
    manifests = load(
        [write(AGENT + INDEX + AGENT.replace("support", "billing").replace("{name: handbook}}]", "{name: x}}]"))]
    )
    assert [agent.name for agent in agents_in(manifests)] == ["support"]
    assert indexes_in(manifests)[0].sources == {}
    assert any("there is no VectorIndex x" in warning for warning in manifests.warnings)
    assert any("there is no ConfigMap docs" in warning for warning in manifests.warnings)


def test_agents_of_the_same_name_in_two_namespaces_are_two(write: Write) -> None:
    other = (AGENT + INDEX + DOCUMENTS).replace("namespace: demo", "namespace: other")
    manifests = load([write(AGENT + INDEX + DOCUMENTS + other)])
    assert [(agent.namespace, agent.name) for agent in agents_in(manifests)] == [
        ("demo", "support"),
        ("other", "support"),
    ]
    assert {index.key.namespace for index in indexes_in(manifests)} == {"demo", "other"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (AGENT.replace("spec:", "spec:\n  temperature: 1"), "spec.temperature"),
        (AGENT.replace("spec:", "spec:\n  architecture: magic"), "spec.architecture"),
        (AGENT.replace("knowledge:", "sessions: {ttl: soon}\n  knowledge:"), "spec.sessions.ttl"),
        (AGENT + AGENT, "is taken already"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(write: Write, text: str, words: str) -> None:
    with pytest.raises(InvalidManifests) as refused:
        load([write(text)])
    assert words in str(refused.value)
    assert "manifests.yaml:" in str(refused.value)


def test_what_is_no_yaml_is_refused(write: Write) -> None:
    with pytest.raises(ManifestError, match=r"manifests\.yaml"):
        load([write("a: [")])
