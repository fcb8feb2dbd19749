"""What the local driver does not heed, it says, in the reference's words."""

from slipway_runtime.dev.ignored import ignored_fields


def agent(**spec: object) -> dict[str, object]:
    return {"kind": "Agent", "metadata": {"namespace": "demo", "name": "support"}, "spec": spec}


def test_what_is_ignored_is_named_with_the_reason() -> None:
    assert ignored_fields(agent(scaling={"min": 2}, limits={"inFlight": 3})) == [
        "Agent demo/support: spec.scaling has no effect here. One process serves everything."
    ]


def test_fields_inside_of_others_are_found() -> None:
    index = {
        "kind": "VectorIndex",
        "metadata": {"name": "handbook"},
        "spec": {"backend": {"chroma": {"storage": "2Gi"}}, "deletionPolicy": "Delete", "chunking": {"overlap": 3}},
    }
    paths = [warning.split(": ")[1].split(" ")[0] for warning in ignored_fields(index)]
    assert paths == ["spec.backend.chroma.storage", "spec.deletionPolicy"]


def test_what_is_heeded_or_not_set_is_not_mentioned() -> None:
    knowledge = [{"name": "a", "indexRef": {"name": "b"}, "topK": 3, "minScore": "0.5"}]
    assert ignored_fields(agent(knowledge=knowledge, sessions={"ttl": "1h"}, pod=None)) == []
    assert ignored_fields({"kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "b"}}) == []
