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

AGENT = "tests/runtime/agents/test_langgraph_agent.py"
RETRIEVAL = "tests/runtime/knowledge/retrieval/test_retriever.py"
CHUNKING = "tests/runtime/knowledge/ingestion/test_chunking.py"
RUNS = "tests/runtime/host/test_runs.py"
RESOLVE = "tests/crds/test_resolve.py"
AGENT_OBJECTS = "tests/operator/builders/test_agent.py"
INDEX_OBJECTS = "tests/operator/builders/test_index.py"
INGEST_OBJECTS = "tests/operator/builders/test_ingest.py"

POD_SETTINGS = "tests/operator/builders/test_pods.py"


def _pod(path: str) -> dict[str, tuple[str, str]]:
    """One model for the pods of three places, and one test that looks at all three."""
    proofs = {
        "nodeSelector": "test_where_pods_may_run_is_passed_through",
        "tolerations": "test_where_pods_may_run_is_passed_through",
        "affinity": "test_where_pods_may_run_is_passed_through",
        "topologySpreadConstraints": "test_where_pods_may_run_is_passed_through",
        "priorityClassName": "test_where_pods_may_run_is_passed_through",
        "imagePullSecrets[].name": "test_pull_secrets_are_added_to_the_charts",
        "labels": "test_labels_and_annotations_are_on_the_pods_and_slipways_own_stay",
        "annotations": "test_labels_and_annotations_are_on_the_pods_and_slipways_own_stay",
        "serviceAccountName": "test_another_service_account_gets_no_token_either",
    }
    return {f"{path}.{field}": (POD_SETTINGS, test) for field, test in proofs.items()}


def _resources(path: str) -> dict[str, tuple[str, str]]:
    test = (POD_SETTINGS, "test_resources_win_over_the_charts_part_by_part")
    return {f"{path}.{side}.{name}": test for side in ("requests", "limits") for name in ("cpu", "memory")}


PROOFS: Mapping[str, tuple[str, str]] = {
    "Agent.architecture": (AGENT, "test_an_answer_is_retrieved_streamed_and_done"),
    "Agent.knowledge[].name": (AGENT, "test_the_knowledge_entry_is_named_in_citations"),
    "Agent.knowledge[].indexRef.name": (RESOLVE, "test_a_missing_index_is_waited_for_by_name"),
    "Agent.knowledge[].topK": (RETRIEVAL, "test_top_k_is_how_many_chunks_are_found"),
    "Agent.knowledge[].minScore": (AGENT, "test_min_score_decides_between_answer_and_abstention"),
    "Agent.sessions.ttl": (RUNS, "test_a_session_lives_for_its_ttl"),
    "Agent.sessions.maxTurns": (RUNS, "test_a_session_counts_its_turns"),
    "Agent.limits.inFlight": (RUNS, "test_beyond_the_bound_questions_are_refused_until_a_run_ends"),
    "Agent.limits.requestTimeout": (RUNS, "test_however_an_agent_ends_the_run_has_a_last_event"),
    "Agent.scaling.min": (AGENT_OBJECTS, "test_scaling_min_is_the_number_of_pods"),
    "Agent.scaling.max": (AGENT_OBJECTS, "test_scaling_max_makes_an_autoscaler"),
    **_resources("Agent.pod.resources"),
    **_pod("Agent.pod"),
    "VectorIndex.backend.chroma.storage": (INDEX_OBJECTS, "test_storage_sizes_the_volume"),
    "VectorIndex.backend.chroma.storageClassName": (INDEX_OBJECTS, "test_the_storage_class_is_the_volumes"),
    "VectorIndex.chunking.maxTokens": (CHUNKING, "test_max_tokens_bounds_chunks"),
    "VectorIndex.chunking.overlap": (CHUNKING, "test_overlap_repeats_the_end_of_the_chunk_before"),
    "VectorIndex.sources[].name": (AGENT, "test_the_source_is_named_in_citations"),
    "VectorIndex.sources[].configMap.name": (INGEST_OBJECTS, "test_sources_are_mounted_by_name"),
    "VectorIndex.deletionPolicy": (INDEX_OBJECTS, "test_the_deletion_policy_keeps_the_volume"),
    **_resources("VectorIndex.pod.resources"),
    **_pod("VectorIndex.pod"),
    **_resources("VectorIndex.ingestion.pod.resources"),
    **_pod("VectorIndex.ingestion.pod"),
}


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
def test_the_proof_of_a_field_exists(field: str) -> None:
    file, name = PROOFS[field]
    assert name in functions_in(file), (
        f"{field}: write {file}::{name}, or name the test that proves what the field does"
    )
