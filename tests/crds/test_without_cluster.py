"""The local driver can say which fields of a manifest it does not act on."""

from typing import Any

from slipway_crds.fields import Local
from slipway_crds.without_cluster import fields_treated

AGENT: dict[str, Any] = {
    "kind": "Agent",
    "spec": {
        "knowledge": [{"name": "handbook", "indexRef": {"name": "handbook"}}],
        "scaling": {"min": 2, "max": 5},
        "pod": None,
    },
}
INDEX: dict[str, Any] = {
    "kind": "VectorIndex",
    "spec": {
        "backend": {"chroma": {"storage": "1Gi"}},
        "sources": [{"name": "docs", "configMap": {"name": "docs"}}],
        "deletionPolicy": "Delete",
    },
}


def test_ignored_fields_are_named_with_the_reason_their_members_are_not() -> None:
    assert [str(each) for each in fields_treated(AGENT, Local.IGNORED)] == [
        "spec.scaling: One process serves everything."
    ]
    assert [each.path for each in fields_treated(INDEX, Local.IGNORED)] == [
        "spec.backend.chroma.storage",
        "spec.deletionPolicy",
    ]


def test_fields_that_do_the_same_are_found_below_lists() -> None:
    assert [each.path for each in fields_treated(INDEX, Local.EMULATED)] == ["spec.backend"]
    assert [each.path for each in fields_treated(INDEX, Local.SAME)] == ["spec.sources"]


def test_what_is_passed_through_as_it_is_has_no_fields_of_ours() -> None:
    pod = {"labels": {"a": "b"}, "affinity": {"nodeAffinity": {"x": [{"y": 1}]}}, "tolerations": [{"key": "a"}]}
    index = {"kind": "VectorIndex", "spec": {**INDEX["spec"], "pod": pod, "ingestion": {"pod": pod}}}
    assert [each.path for each in fields_treated(index, Local.IGNORED)][-2:] == ["spec.pod", "spec.ingestion"]
    assert [each.path for each in fields_treated(index, Local.EMULATED)] == ["spec.backend"]


def test_nothing_is_refused_yet() -> None:
    assert fields_treated(AGENT, Local.REFUSED) == fields_treated(INDEX, Local.REFUSED) == []
