"""A schema rebuilt from a binding says what the provider's own schema said."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tfreplay.errors import ReplayError
from tfreplay.schema import schema
from tfreplay.typescript import binding, source

TEXT = (Path(__file__).parent / "binding.ts").read_text()


def attributes(nested: bool = False) -> dict[str, Any]:
    return dict(schema(binding(TEXT), nested)["block"]["attributes"])


def blocks() -> dict[str, Any]:
    return dict(schema(binding(TEXT), nested_attributes=False)["block"]["block_types"])


def test_the_typescript_is_found_in_the_published_javascript() -> None:
    source_map = base64.b64encode(json.dumps({"sourcesContent": [TEXT]}).encode()).decode()
    assert source(f"code();\n//# sourceMappingURL=data:application/json;base64,{source_map}") == TEXT
    assert source("code();") == ""


def test_a_binding_tells_what_it_binds() -> None:
    assert (binding(TEXT).kind, binding(TEXT).type) == ("resource", "acme_widget")


def test_text_without_a_resource_is_refused() -> None:
    with pytest.raises(ReplayError, match="declares no resource"):
        binding("export class Something extends cdktf.Other {\n}\n")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("address", {"computed": True, "type": "string"}),
        ("labels", {"optional": True, "type": ["map", "string"]}),
        ("name", {"required": True, "type": "string"}),
        ("password_wo", {"optional": True, "write_only": True, "type": "string"}),
        ("set", {"optional": True, "type": ["list", ["object", {"value": "string"}]]}),
    ],
)
def test_an_attribute(name: str, expected: dict[str, Any]) -> None:
    assert attributes()[name] == expected


def test_under_protocol_6_an_attribute_has_attributes_of_its_own() -> None:
    held = {"attributes": {"value": {"optional": True, "computed": True, "type": "string"}}, "nesting_mode": "list"}
    assert attributes(nested=True)["set"] == {"optional": True, "nested_type": held}


def test_what_the_generator_calls_a_block_is_no_attribute() -> None:
    assert set(attributes()) == {"address", "labels", "name", "password_wo", "set"}
    assert set(blocks()) == {"network", "rule"}


def test_a_required_block_that_may_stand_once() -> None:
    network = blocks()["network"]
    assert (network["nesting_mode"], network["min_items"], network["max_items"]) == ("list", 1, 1)
    assert network["block"]["attributes"] == {"cidr": {"required": True, "type": "string"}}


def test_a_block_that_may_stand_often() -> None:
    rule = blocks()["rule"]
    assert rule["nesting_mode"] == "set"
    assert not {"min_items", "max_items"} & set(rule)
    assert rule["block"]["attributes"]["ports"] == {"optional": True, "type": ["set", "number"]}


def test_a_type_that_nobody_knows_is_named() -> None:
    with pytest.raises(ReplayError, match="address holds a Colour"):
        schema(binding(TEXT.replace("getStringAttribute('address')", "getColourAttribute('address')")), False)
