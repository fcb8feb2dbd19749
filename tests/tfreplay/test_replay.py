"""Which schemas a configuration needs."""

from pathlib import Path

import pytest

from tfreplay.errors import ReplayError
from tfreplay.replay import mentioned, narrowed, required, texts


def test_a_called_module_and_the_tests_count(tmp_path: Path) -> None:
    for name, text in {
        "root/main.tf": 'module "a" { source = "../a" }',
        "root/tests/x.tftest.hcl": 'run "setup" { module { source = "./tests/setup" } }',
        "root/tests/setup/main.tf": "# setup",
        "a/main.tf": 'module "again" { source = "../root" }',
        "b/main.tf": "# not called",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = "\n".join(texts(tmp_path / "root"))
    assert "# setup" in found
    assert '"again"' in found
    assert "# not called" not in found


def test_the_types_that_a_configuration_names() -> None:
    text = 'resource "a_b" "x" {}\ndata "a_c" "y" {}\nmock_resource "a_d" {}\noverride_data { target = data.a_e.z }'
    assert mentioned(text) >= {"a_b", "a_c", "a_d", "a_e"}


def test_only_named_types_are_served() -> None:
    schemas = {"provider": 1, "resource_schemas": {"a_b": 2, "a_c": 3}, "data_source_schemas": {"a_b": 4}}
    assert narrowed(schemas, frozenset({"a_c"})) == {
        "provider": 1,
        "resource_schemas": {"a_c": 3},
        "data_source_schemas": {},
    }


def test_required_providers() -> None:
    assert [each.name for each in required('google = { source = "hashicorp/google" }')] == ["google"]


def test_a_provider_without_a_schema_is_named_with_the_remedy() -> None:
    with pytest.raises(ReplayError, match=r"acme/rocket.*package\.json"):
        required('rocket = { source = "acme/rocket" }')
