"""The CRDs are what is committed, and keep the promises that every kind makes."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway_crds import generate
from slipway_crds.checking import twins
from slipway_crds.definitions import custom_resource_definition, fields, kind_schema
from slipway_crds.fields import HINTS, Local
from slipway_crds.meta import OBJECT_NAME
from slipway_crds.registry import KINDS

ALL_KINDS = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def nodes(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, field in fields(schema):
        yield path, dict(field)
        if "items" in field:
            yield f"{path}[]", field["items"]


def crd_schema(kind: Any) -> dict[str, Any]:
    (version,) = custom_resource_definition(kind)["spec"]["versions"]
    return dict(version["schema"]["openAPIV3Schema"])


def test_the_committed_files_are_what_the_models_say() -> None:
    assert generate.stale(generate.ROOT) == []


def test_check_tools_a_stale_file_and_how_to_renew_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    (tmp_path / "docs/reference/agent.md").write_text("edited by hand")
    assert generate.main(["--check"]) == 1
    assert "docs/reference/agent.md is stale: run `make generate`" in capsys.readouterr().err


@ALL_KINDS
def test_a_crd_survives_yaml(kind: Any) -> None:
    crd = custom_resource_definition(kind)
    assert yaml.safe_load(yaml.safe_dump(crd)) == crd


@ALL_KINDS
def test_every_field_of_spec_says_what_it_does_without_a_cluster(kind: Any) -> None:
    spec = kind_schema(kind)["properties"]["spec"]
    silent = [
        path
        for path, field in fields(spec)
        if field.get("x-slipway-local", {}).get("behaviour") not in list(Local)
        or not field["x-slipway-local"]["statement"].endswith(".")
    ]
    assert silent == []


@ALL_KINDS
def test_a_crd_holds_nothing_that_only_slipway_understands(kind: Any) -> None:
    assert "x-slipway" not in str(custom_resource_definition(kind))


@ALL_KINDS
def test_every_field_is_described(kind: Any) -> None:
    schema = crd_schema(kind)
    spec_and_status = {"properties": {name: schema["properties"][name] for name in ("spec", "status")}}
    assert [path for path, field in fields(spec_and_status) if len(field.get("description", "")) < 10] == []


def test_a_field_without_description_is_not_generated(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = {"properties": {"spec": {"type": "object", "properties": {"silent": {"type": "string"}}}}}
    monkeypatch.setattr("slipway_crds.definitions.structural_schema", lambda kind: schema)
    with pytest.raises(ValueError, match=r"spec, spec\.silent"):
        kind_schema(KINDS["Agent"])


@ALL_KINDS
def test_everything_that_rules_may_walk_is_bounded(kind: Any) -> None:
    spec = crd_schema(kind)["properties"]["spec"]
    for path, node in nodes(spec):
        if node["type"] == "array":
            assert "maxItems" in node, path
        if node["type"] == "string":
            assert "maxLength" in node or "enum" in node, path
        if node["type"] == "integer":
            assert {"minimum", "maximum"} <= node.keys(), path


@ALL_KINDS
def test_every_list_says_how_it_merges(kind: Any) -> None:
    lists = {path: node for path, node in nodes(crd_schema(kind)) if node.get("type") == "array"}
    assert lists
    for path, node in lists.items():
        assert node.get("x-kubernetes-list-type") in ("map", "atomic"), path
        for key in node.get("x-kubernetes-list-map-keys", []):
            assert key in node["items"]["required"], path


@ALL_KINDS
def test_patterns_are_anchored_and_have_a_hint(kind: Any) -> None:
    patterns = {node["pattern"] for _, node in nodes(crd_schema(kind)) if "pattern" in node}
    for pattern in patterns:
        assert re.fullmatch(r"\^.*\$", pattern)
        assert pattern in HINTS


@ALL_KINDS
def test_nothing_looks_healthy_before_it_was_looked_at(kind: Any) -> None:
    status = crd_schema(kind)["properties"]["status"]
    assert status["default"] == {"observedGeneration": -1}
    assert status["properties"]["observedGeneration"]["type"] == "integer"


@ALL_KINDS
def test_metadata_holds_no_more_than_an_api_server_allows(kind: Any) -> None:
    assert crd_schema(kind)["properties"]["metadata"] == {"type": "object", "properties": {"name": {"type": "string"}}}


@ALL_KINDS
def test_the_names_by_which_kubectl_finds_a_kind(kind: Any) -> None:
    spec = custom_resource_definition(kind)["spec"]
    assert spec["names"]["categories"] == ["slipway"]
    assert (spec["names"]["plural"], spec["names"]["shortNames"]) in (
        ("agents", ["agt"]),
        ("vectorindexes", ["vidx"]),
        ("plugins", ["plg"]),
        ("workflows", ["wfl"]),
    )
    (version,) = spec["versions"]
    assert version["subresources"] == {"status": {}}
    columns = [column["name"] for column in version["additionalPrinterColumns"]]
    assert columns[:2] == ["Ready", "Reason"]
    assert columns[-1] == "Age"


@ALL_KINDS
def test_every_rule_of_a_crd_has_its_twin(kind: Any) -> None:
    schema = crd_schema(kind)
    rules = [rule for _, node in [("", schema), *nodes(schema)] for rule in node.get("x-kubernetes-validations", ())]
    assert OBJECT_NAME.to_schema() in rules
    for rule in rules:
        assert (twins()[rule["rule"]].holds is None) == ("oldSelf" in rule["rule"])
