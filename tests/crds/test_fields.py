"""No field is inert: each one that a user can write in `spec` is named here with a test that proves what it does.

Whoever adds a field adds the code that acts on it, the test of that effect, and its line here. Objects and lists are
proven by what is in them.
"""

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from slipway_crds.definitions import KINDS, fields, kind_schema

ROOT = Path(__file__).resolve().parents[2]

PROOFS: Mapping[str, str] = {
    "Agent.architecture": "tests/runtime/agents/test_langgraph.py::test_the_architecture_names_the_graph",
    "Agent.knowledge[].name": "tests/runtime/agents/test_langgraph.py::test_citations_name_the_entry_of_the_manifest",
    "Agent.knowledge[].indexRef.name": "tests/crds/test_resolve.py::test_a_missing_index_is_waited_for_by_name",
    "Agent.knowledge[].topK": "tests/runtime/knowledge/test_retrieval.py::test_top_k_bounds_what_is_retrieved",
    "Agent.knowledge[].minScore": "tests/runtime/agents/test_langgraph.py::test_below_min_score_the_agent_abstains",
    "Agent.sessions.ttl": "tests/runtime/host/test_runs.py::test_a_session_lives_for_its_ttl",
    "Agent.sessions.maxTurns": ("tests/runtime/host/test_runs.py::test_a_session_remembers_its_turns_and_counts_them"),
    "Agent.limits.inFlight": (
        "tests/runtime/host/test_runs.py::test_beyond_the_bound_questions_are_refused_until_a_run_ends"
    ),
    "Agent.limits.requestTimeout": (
        "tests/runtime/host/test_runs.py::test_however_an_agent_ends_the_run_has_a_last_event"
    ),
    "Agent.scaling.min": "tests/operator/builders/test_agent.py::test_scaling_min_is_the_number_of_pods",
    "Agent.scaling.max": "tests/operator/builders/test_agent.py::test_scaling_max_makes_an_autoscaler",
    "Agent.pod.resources.requests.cpu": "tests/operator/builders/test_agent.py::test_resources_of_the_manifest_win",
    "Agent.pod.resources.requests.memory": "tests/operator/builders/test_agent.py::test_resources_of_the_manifest_win",
    "Agent.pod.resources.limits.cpu": "tests/operator/builders/test_agent.py::test_resources_of_the_manifest_win",
    "Agent.pod.resources.limits.memory": "tests/operator/builders/test_agent.py::test_resources_of_the_manifest_win",
    "VectorIndex.backend.chroma.storage": "tests/operator/builders/test_index.py::test_storage_sizes_the_volume",
    "VectorIndex.backend.chroma.storageClassName": (
        "tests/operator/builders/test_index.py::test_the_storage_class_is_the_volumes"
    ),
    "VectorIndex.chunking.maxTokens": "tests/runtime/knowledge/test_chunking.py::test_max_tokens_bounds_every_chunk",
    "VectorIndex.chunking.overlap": "tests/runtime/knowledge/test_chunking.py::test_overlap_repeats_tokens",
    "VectorIndex.sources[].name": "tests/operator/builders/test_ingest.py::test_sources_are_mounted_by_name",
    "VectorIndex.sources[].configMap.name": "tests/operator/builders/test_ingest.py::test_sources_are_mounted_by_name",
    "VectorIndex.deletionPolicy": "tests/operator/builders/test_index.py::test_the_deletion_policy_keeps_the_volume",
}

AWAITED = {
    "Agent.architecture",
    "Agent.knowledge[].minScore",
    "Agent.knowledge[].name",
    "Agent.knowledge[].topK",
    "VectorIndex.chunking.maxTokens",
    "VectorIndex.chunking.overlap",
}
"""Proofs that are being written. This set is to become empty and to go."""


def leaves(kind: str) -> list[str]:
    """Fields of a kind's spec that hold a value, not further fields."""
    spec = kind_schema(KINDS[kind])["properties"]["spec"]
    return [f"{kind}.{path}" for path, field in fields(spec) if not has_members(field)]


def has_members(field: Mapping[str, Any]) -> bool:
    return "properties" in field or "properties" in field.get("items", {})


@cache
def functions_in(file: str) -> frozenset[str]:
    """Names of the test functions in a file; none if there is no such file."""
    path = ROOT / file
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def test_every_field_is_in_the_table_and_nothing_else() -> None:
    assert sorted(PROOFS) == sorted(leaf for kind in KINDS for leaf in leaves(kind))


@pytest.mark.parametrize("field", sorted(PROOFS))
def test_the_proof_of_a_field_exists(field: str, request: pytest.FixtureRequest) -> None:
    if field in AWAITED:
        request.applymarker(pytest.mark.xfail(reason="the proof is being written", strict=False))
    file, _, name = PROOFS[field].partition("::")
    assert name in functions_in(file), (
        f"{field}: write {PROOFS[field]}, or name the test that proves what the field does"
    )
