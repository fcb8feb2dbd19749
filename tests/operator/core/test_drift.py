"""Whether an object is still what we applied, by `managedFields` alone."""

from typing import Any

import orjson
import pytest

from slipway_operator.core.drift import APPLIED_ANNOTATION, FIELD_MANAGER, drifted, lost_items, owned_fields, stamp
from slipway_operator.core.manifests import Manifest

MANIFEST: Manifest = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "s", "namespace": "n", "labels": {"a": "b"}},
    "spec": {
        "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        "args": ["x", "y"],
        "empty": {},
        "nested": {"deep": 1},
    },
}
PORT = 'k:{"port":80,"protocol":"TCP"}'


def entry(**changes: Any) -> dict[str, Any]:
    """The fields as the API server records them for the manifest; `changes` replace parts of the spec."""
    spec = {
        "f:ports": {PORT: {".": {}, "f:name": {}, "f:port": {}, "f:protocol": {}}},
        "f:args": {},
        "f:empty": {},
        "f:nested": {"f:deep": {}},
        **changes,
    }
    metadata: dict[str, Any] = {"f:annotations": {f"f:{APPLIED_ANNOTATION}": {}}, "f:labels": {"f:a": {}}}
    return {"f:metadata": metadata, "f:spec": {key: value for key, value in spec.items() if value is not None}}


def drift(fields: dict[str, Any]) -> tuple[str, ...]:
    return drifted(stamp(MANIFEST), orjson.dumps(fields))


def test_what_we_own_whole_has_not_drifted() -> None:
    assert drift(entry()) == ()


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"f:args": None}, ".spec.args"),
        ({"f:empty": None}, ".spec.empty"),
        ({"f:nested": {"f:other": {}}}, ".spec.nested.deep"),
        ({"f:ports": {PORT: {"f:name": {}, "f:port": {}}}}, ".spec.ports[0].protocol"),
        ({"f:ports": {'k:{"port":81,"protocol":"TCP"}': {"f:port": {}}}}, ".spec.ports[0]"),
        ({"f:ports": {}}, ".spec.ports[]"),
        ({"f:ports": None}, ".spec.ports[]"),
    ],
)
def test_what_somebody_took_over_is_named(changes: dict[str, Any], path: str) -> None:
    assert drift(entry(**changes)) == (path,)


def test_a_lost_item_is_told_from_a_lost_field() -> None:
    assert lost_items((".spec.ports[]",))
    assert lost_items((".spec.ports[0]",))
    assert not lost_items((".spec.ports[0].protocol", ".spec.args"))


def test_keys_that_were_filled_in_by_defaulting_match() -> None:
    short: Manifest = {**MANIFEST, "spec": {"ports": [{"name": "http", "port": 80}]}}
    assert drifted(stamp(short), orjson.dumps(entry())) == ()


def test_an_item_that_is_owned_as_a_whole_covers_its_fields() -> None:
    reference: Any = {"uid": "u", "name": "o", "controller": True}
    owned: Manifest = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "s", "namespace": "n", "ownerReferences": [reference]},
    }
    fields: dict[str, Any] = {
        "f:metadata": {
            "f:annotations": {f"f:{APPLIED_ANNOTATION}": {}},
            "f:ownerReferences": {'k:{"uid":"u"}': {}},
        }
    }
    assert drifted(stamp(owned), orjson.dumps(fields)) == ()


def test_only_our_own_entries_count() -> None:
    fields: dict[str, Any] = {"f:spec": {"f:a": {}}}
    others = [
        {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": fields},
        {"manager": FIELD_MANAGER, "operation": "Update", "subresource": "status", "fieldsV1": fields},
    ]
    assert owned_fields(others) == b""
    ours = {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": fields}
    assert orjson.loads(owned_fields([*others, ours])) == fields


def test_what_is_left_of_a_repair_does_not_cover_what_others_took() -> None:
    """`limits: {}` in an entry of an update may be all that remains when somebody else has changed what was in it."""
    repaired: dict[str, Any] = {"f:limits": {}, "f:args": {}, "f:name": {}}
    entries = [
        {"manager": FIELD_MANAGER, "operation": "Update", "fieldsV1": {"f:spec": repaired}},
        {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": {"f:metadata": entry()["f:metadata"]}},
    ]
    desired: Manifest = {**MANIFEST, "spec": {"limits": {"memory": "1Gi"}, "args": ["a"], "name": "n"}}
    assert drifted(stamp(desired), owned_fields(entries)) == (".spec.limits.memory",)


def test_what_is_left_of_a_repair_covers_lists_that_are_owned_as_a_whole() -> None:
    """Else a list of objects, such as tolerations, would be replaced anew at every look."""
    entries = [
        {"manager": FIELD_MANAGER, "operation": "Update", "fieldsV1": {"f:spec": {"f:tolerations": {}}}},
        {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": {"f:metadata": entry()["f:metadata"]}},
    ]
    desired: Manifest = {**MANIFEST, "spec": {"tolerations": [{"key": "a"}, {"key": "b"}]}}
    assert drifted(stamp(desired), owned_fields(entries)) == ()


@pytest.mark.parametrize(
    ("spec", "owned"),
    [
        ({"imagePullSecrets": [{"name": "a"}]}, {"f:imagePullSecrets": {".": {}, 'k:{"name":"a"}': {}}}),
        (
            {"topologySpreadConstraints": [{"topologyKey": "z", "labelSelector": {"matchLabels": {"a": "b"}}}]},
            {"f:topologySpreadConstraints": {'k:{"topologyKey":"z"}': {"f:topologyKey": {}, "f:labelSelector": {}}}},
        ),
    ],
    ids=["pull secrets", "selectors of spread constraints"],
)
def test_what_is_left_of_a_repair_covers_objects_that_are_owned_as_a_whole(
    spec: dict[str, Any], owned: dict[str, Any]
) -> None:
    """Else a repair would be followed by a second write, which might meet the next change by somebody."""
    entries = [
        {"manager": FIELD_MANAGER, "operation": "Update", "fieldsV1": {"f:spec": owned}},
        {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": {"f:metadata": entry()["f:metadata"]}},
    ]
    desired: Manifest = {**MANIFEST, "spec": spec}
    assert drifted(stamp(desired), owned_fields(entries)) == ()


def test_spread_constraints_are_told_apart_by_their_keys() -> None:
    spread = {"topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 1, "labelSelector": {"x": {}}}
    desired: Manifest = {**MANIFEST, "spec": {"topologySpreadConstraints": [spread]}}
    key = 'k:{"topologyKey":"z","whenUnsatisfiable":"ScheduleAnyway"}'
    owned: dict[str, Any] = {"f:topologyKey": {}, "f:whenUnsatisfiable": {}, "f:maxSkew": {}, "f:labelSelector": {}}

    def drift_of(constraints: dict[str, Any]) -> tuple[str, ...]:
        fields = {"f:metadata": entry()["f:metadata"], "f:spec": {"f:topologySpreadConstraints": constraints}}
        return drifted(stamp(desired), orjson.dumps(fields))

    assert drift_of({key: {".": {}, **owned}}) == ()
    assert drift_of({key: {name: each for name, each in owned.items() if name != "f:maxSkew"}}) == (
        ".spec.topologySpreadConstraints[0].maxSkew",
    )
    assert drift_of({key.replace("z", "y"): owned}) == (".spec.topologySpreadConstraints[0]",)
    assert drift_of({}) == (".spec.topologySpreadConstraints[]",), "a stranger's may be in its place"


def test_an_object_that_we_never_applied_is_not_ours() -> None:
    assert drifted(stamp(MANIFEST), b"") == ("",)


def test_the_hash_is_of_the_content() -> None:
    one, other = stamp(MANIFEST), stamp({**MANIFEST, "spec": {"args": []}})
    assert one == stamp(MANIFEST)
    assert one["metadata"]["annotations"] != other["metadata"]["annotations"]
