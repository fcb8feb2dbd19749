"""`slipway validate` finds what an API server would refuse, and says what to write instead.

That the verdicts are the same is proven against a real one in tests/cluster/test_crds.py, over the same manifests.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway_crds.agents.model import Agent
from slipway_crds.checking import twins
from slipway_crds.indexes.model import VectorIndex
from slipway_crds.manifests import load_paths, load_text
from slipway_crds.validate import Finding, parse, validate_document, validate_documents, validate_set
from tests.support.bad_manifests import BadManifest, bad_manifests

BAD = bad_manifests()


def agent(name: str = "support", index: str = "handbook", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "Agent",
        "metadata": {"name": name, **metadata},
        "spec": {"knowledge": [{"name": "handbook", "indexRef": {"name": index}}]},
    }


def index(name: str = "handbook", config_map: str = "docs", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "VectorIndex",
        "metadata": {"name": name, **metadata},
        "spec": {"backend": {"chroma": {}}, "sources": [{"name": "docs", "configMap": {"name": config_map}}]},
    }


def config_map(name: str = "docs", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": {"a.md": "A."}}


@pytest.mark.parametrize("bad", BAD, ids=[bad.id for bad in BAD])
def test_a_bad_manifest_is_told_what_is_wrong(bad: BadManifest) -> None:
    (document,) = load_text(bad.text)
    found = [*document.problems, *validate_document(document.value)]
    assert [str(problem) for problem in found] == list(bad.problems)
    assert bad.problems


def test_there_are_enough_bad_manifests_and_they_break_every_rule() -> None:
    assert len({bad.text for bad in BAD}) >= 40
    told = [problem for bad in BAD for problem in bad.problems]
    unbroken = [rule for rule in twins().values() if rule.holds and not any(rule.message in each for each in told)]
    assert unbroken == []


@pytest.mark.parametrize("document", [agent(), index(), config_map(), agent(namespace="demo", labels=None)])
def test_a_good_manifest_passes(document: dict[str, Any]) -> None:
    assert validate_document(document) == []


@pytest.mark.parametrize("document", [None, 1, "text", [], [agent()]])
def test_what_is_no_object_is_told_so(document: object) -> None:
    (problem,) = validate_document(document)
    assert "is not an object" in problem.message


def test_other_groups_are_not_judged() -> None:
    assert validate_document({"apiVersion": "agent.k8s.elastic.co/v1", "kind": "Agent", "spec": 1}) == []


def test_parsing_reads_an_object_as_it_would_be_stored() -> None:
    document = agent(namespace="", labels={"team": None}) | {"status": {"phase": "nonsense"}}
    document["spec"] |= {
        "sessions": None,
        "limits": {"inFlight": None, "requestTimeout": "5s"},
        "scaling": {"min": 2.0},
    }
    assert validate_document(document) == []
    parsed = parse(document)
    assert isinstance(parsed, Agent)
    assert (parsed.metadata.namespace, parsed.metadata.labels) == ("default", {})
    assert (parsed.spec.sessions.ttl, parsed.spec.limits.in_flight, parsed.spec.scaling.min) == ("24h", 20, 2)
    assert parsed.status.observed_generation == -1
    assert isinstance(parse(index()), VectorIndex)


def test_a_complete_set_has_no_findings() -> None:
    assert validate_documents([agent(), index(), config_map()]) == []


def test_a_missing_reference_is_a_warning_because_a_cluster_may_have_it() -> None:
    findings = validate_documents([agent(), index("other"), config_map(namespace="elsewhere")])
    assert [(finding.subject, finding.problem.path, finding.problem.waiting) for finding in findings] == [
        ("Agent default/support", "spec.knowledge[0].indexRef.name", True),
        ("VectorIndex default/other", "spec.sources[0].configMap.name", True),
    ]
    assert "no VectorIndex handbook in namespace default" in findings[0].problem.message


def test_references_stay_within_a_namespace() -> None:
    same = [agent(namespace="a"), index(namespace="a"), config_map(namespace="a")]
    assert validate_documents(same) == []
    assert [finding.subject for finding in validate_documents([agent(namespace="b"), *same])] == ["Agent b/support"]


def test_an_object_given_twice_is_an_error() -> None:
    text = "---\n".join(yaml.safe_dump(each) for each in (config_map(), index(), index()))
    (finding,) = validate_set(load_text(text, "set.yaml"))
    assert finding.subject == "VectorIndex default/handbook"
    assert not finding.problem.waiting
    assert "is taken already in set.yaml:8" in str(finding)


def test_a_broken_object_is_not_asked_about_its_references() -> None:
    broken = agent()
    broken["spec"]["knowledge"][0]["topK"] = 0
    assert [finding.problem.path for finding in validate_documents([broken])] == ["spec.knowledge[0].topK"]


def test_findings_name_file_line_and_object(tmp_path: Path) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(
        "apiVersion: slipway.dev/v1alpha1\n"
        "kind: Agent\n"
        "metadata: {name: support, namespace: demo}\n"
        "spec:\n"
        "  architecture: langgraph\n"
        "  knowledge:\n"
        "  - name: handbook\n"
        "    topK: 50\n"
    )
    findings = validate_set(load_paths([tmp_path]))
    assert all(isinstance(finding, Finding) for finding in findings)
    assert [str(finding) for finding in findings] == [
        f"{file}:7: Agent demo/support: spec.knowledge[0].indexRef: is missing: The VectorIndex to search.",
        f"{file}:8: Agent demo/support: spec.knowledge[0].topK: must be from 1 to 20, not 50",
    ]


def test_a_config_map_with_problems_is_not_missing() -> None:
    broken = config_map() | {"data": {"a/b.md": "B."}}
    [finding] = validate_documents([broken, index()])
    assert finding.problem.path == "data.a/b.md"
