"""The outputs of a module are a connection document that the runtime reads."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from slipway_crds.indexes.connections import (
    MongoConnection,
    PostgresConnection,
    SnowflakeConnection,
    VertexConnection,
    parse_connection,
)
from slipway_crds.runtimeconfig import BackendKind
from tests.terraform.conftest import TERRAFORM, Folder

pytestmark = pytest.mark.terraform
ATLAS = "mongodbatlas_advanced_cluster.this.connection_strings[0].standard_srv"
"""What a provider that makes things up has an empty list in place of."""
COCKROACH = """
override_resource {
  target = cockroach_cluster.this
  values = { regions = { sql_dns = "slipway.example.cockroachlabs.cloud" } }
}
"""


def outputs(
    module: Path, home: Path, environment: dict[str, str], overrides: str = "", known: Mapping[str, str] = {}
) -> dict[str, Any]:
    """What the module would give out, with the values of its own tests and providers that make up the rest.

    Args:
        known: expressions in its outputs, and what the cloud would answer.
    """
    path = home / "modules" / module
    shutil.copytree(TERRAFORM / "modules" / module, path)
    for expression, value in known.items():
        text = (path / "outputs.tf").read_text()
        assert expression in text
        (path / "outputs.tf").write_text(text.replace(expression, value))
    for name in ("regions.yaml", "../regions.yaml"):
        source = TERRAFORM / "modules" / module / ".." / name
        if source.is_file():
            shutil.copy(source, path / ".." / name)
    [tests] = (path / "tests").glob("*.tftest.hcl")
    given = re.split(r"^run ", tests.read_text(), maxsplit=1, flags=re.MULTILINE)[0]
    tests.write_text(f'{given}{overrides}\nrun "outputs" {{\n  command = apply\n}}\n')
    folder = Folder(path, {**environment, "TF_DATA_DIR": str(home / "data")})
    folder.must("init", "-backend=false", "-input=false")
    done = folder.run("test", "-json", "-verbose")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    faults = [event["diagnostic"]["detail"] for event in events if event["type"] == "diagnostic"]
    assert done.returncode == 0, faults
    [state] = [event["test_state"] for event in events if event["type"] == "test_state"]
    assert "outputs" in state, sorted(state)
    return {name: output["value"] for name, output in state["outputs"].items()}


@pytest.mark.parametrize(
    ("module", "kind", "overrides"),
    [
        ("gcp/postgres", "pgvector", ""),
        ("aws/postgres", "pgvector", ""),
        ("azure/postgres", "pgvector", ""),
        ("data/cockroachdb", "cockroachdb", COCKROACH),
    ],
)
def test_a_dsn_is_a_connection(
    module: str, kind: BackendKind, overrides: str, tmp_path: Path, replayed: dict[str, str]
) -> None:
    found = outputs(Path(module), tmp_path, replayed, overrides)
    read = parse_connection(kind, found["dsn"])
    assert isinstance(read, PostgresConnection)
    assert "sslmode=" in read.dsn


def test_the_output_of_mongodb_atlas_is_a_connection(tmp_path: Path, replayed: dict[str, str]) -> None:
    known = {ATLAS: '"mongodb+srv://slipway.example.mongodb.net"'}
    found = outputs(Path("data/mongodb-atlas"), tmp_path, replayed, known=known)
    read = parse_connection("mongodb", found["connection"])
    assert isinstance(read, MongoConnection)
    assert re.fullmatch(r"mongodb\+srv://slipway:\w+@slipway\.example\.mongodb\.net", read.uri)
    assert read.database == "slipway"


def test_the_output_of_vector_search_is_a_connection(tmp_path: Path, replayed: dict[str, str]) -> None:
    read = parse_connection("vertex", outputs(Path("gcp/vector-search"), tmp_path, replayed)["connection"])
    assert read == VertexConnection(project="example-project", location="europe-west4")


def test_the_output_of_cortex_search_is_a_connection_with_credentials_added(
    tmp_path: Path, replayed: dict[str, str]
) -> None:
    found = json.loads(outputs(Path("data/snowflake-cortex-search"), tmp_path, replayed)["connection"])
    read = parse_connection("snowflake", json.dumps(found | {"account": "ORG-ACCOUNT", "user": "U", "token": "t"}))
    assert isinstance(read, SnowflakeConnection)
    assert (read.database, read.schema_, read.warehouse, read.role) == (
        "SLIPWAY",
        "KNOWLEDGE",
        "SLIPWAY_INDEXING",
        "SLIPWAY_WRITER",
    )
