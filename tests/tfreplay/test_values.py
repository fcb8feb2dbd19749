"""Values survive Terraform's wire format, and a plan leaves open exactly what the provider computes."""

from typing import Any

import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfreplay.values import NOTHING_REAL, UNKNOWN, answered, applied, decode, encode, planned, unconfigurable

leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.just(UNKNOWN)
trees = st.recursive(leaves, lambda each: st.lists(each) | st.dictionaries(st.text(), each), max_leaves=20)

BLOCK: dict[str, Any] = {
    "attributes": {
        "name": {"required": True, "type": "string"},
        "address": {"computed": True, "type": "string"},
        "zone": {"optional": True, "computed": True, "type": "string"},
        "label": {"optional": True, "type": "string"},
        "password_wo": {"optional": True, "write_only": True, "type": "string"},
        "endpoints": {
            "optional": True,
            "nested_type": {"nesting_mode": "map", "attributes": {"url": {"computed": True, "type": "string"}}},
        },
    },
    "block_types": {
        "node": {"nesting_mode": "list", "block": {"attributes": {"id": {"computed": True, "type": "string"}}}},
        "timeouts": {
            "nesting_mode": "single",
            "block": {"attributes": {"create": {"optional": True, "type": "string"}}},
        },
    },
}


@given(trees)
def test_what_is_encoded_is_decoded(value: Any) -> None:
    assert decode(encode(value)) == value


@given(trees)
def test_after_an_apply_nothing_is_unknown(value: Any) -> None:
    assert "UNKNOWN" not in repr(applied(value)).replace(repr("UNKNOWN"), "")


@pytest.mark.parametrize(("tag", "payload"), [(0, b"\0"), (12, b"\x81\x01\xc2")])
def test_terraform_s_unknowns_are_known_as_such(tag: int, payload: bytes) -> None:
    assert decode(ormsgpack.packb({"a": ormsgpack.Ext(tag, payload)})) == {"a": UNKNOWN}


def test_another_extension_is_refused() -> None:
    with pytest.raises(ormsgpack.MsgpackDecodeError):
        decode(ormsgpack.packb(ormsgpack.Ext(7, b"")))


def test_a_plan_leaves_open_what_the_provider_computes() -> None:
    proposed = {"name": "a", "zone": "z", "password_wo": "p", "node": [{"id": None}], "endpoints": {"x": {"url": None}}}
    assert planned(proposed, BLOCK) == {
        "name": "a",
        "address": UNKNOWN,
        "zone": "z",
        "label": None,
        "password_wo": None,
        "endpoints": {"x": {"url": UNKNOWN}},
        "node": [{"id": UNKNOWN}],
        "timeouts": None,
    }


def test_what_exists_keeps_what_it_has() -> None:
    proposed = {"name": "b", "address": "1.2.3.4", "zone": None, "node": [{"id": None}]}
    after = planned(proposed, BLOCK, prior={"name": "a"})
    assert (after["address"], after["zone"], after["node"]) == ("1.2.3.4", None, [{"id": None}])


def test_where_a_configuration_sets_what_the_provider_computes() -> None:
    config = {"name": "a", "address": "1.2.3.4", "zone": "z", "node": [{"id": None}, {"id": "x"}]}
    assert unconfigurable(config, BLOCK) == [("address",), ("node", "id")]


def test_a_data_source_answers_with_known_values() -> None:
    block = {
        "attributes": {
            "name": {"required": True, "type": "string"},
            "id": {"computed": True, "type": "string"},
            "ports": {"computed": True, "type": ["list", "number"]},
            "limits": {"computed": True, "type": ["object", {"cpu": "number", "spot": "bool"}]},
            "zone": {"optional": True, "type": "string"},
        }
    }
    config: dict[str, Any] = {"name": "a", "id": None, "ports": None, "limits": None, "zone": None}
    limits = {"cpu": 0, "spot": False}
    expected: dict[str, Any] = {"name": "a", "id": NOTHING_REAL, "ports": [], "limits": limits, "zone": None}
    assert answered(config, block) == expected


def test_a_destroyed_resource_stays_null() -> None:
    assert planned(None, BLOCK) is None
