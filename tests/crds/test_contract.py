"""What the operator and the runtime must agree on is written once."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway_crds import contract
from slipway_runtime.settings import HostSettings, IngestSettings, Settings
from slipway_runtime.store.opening import open_database

ROOT = Path(__file__).parents[2]
SIDES = (ROOT / "operator/slipway_operator", ROOT / "agent-runtime/slipway_runtime")
BY_CHANCE = {
    "/state": "an annotation's last part there, the last part of a path here",
    "BearerToken": "a word of the Kubernetes client",
    "postgresql://USER:PASSWORD@HOST:PORT/DATABASE": "advice",
}


def literals(folder: Path) -> Iterator[str]:
    """The texts in a package's code, without docstrings."""
    for file in folder.rglob("*.py"):
        tree = ast.parse(file.read_text())
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                yield node.value


def agreed(text: str) -> bool:
    """Whether a text looks like a path, an address, a name or a reason, of which a twin would be no chance."""
    return bool(
        re.fullmatch(r"/[a-z][\w/{}.-]*", text)
        or re.fullmatch(r"[a-z]+://.+", text)
        or re.fullmatch(r"([A-Z][a-z]+){2,}", text)
        or re.search(r"slipway[-./]", text)
    )


def test_no_path_address_name_or_reason_is_written_on_both_sides() -> None:
    operator, runtime = ({text for text in literals(side) if agreed(text)} for side in SIDES)
    assert len(operator) > 50
    assert len(runtime) > 50
    assert operator & runtime == set(BY_CHANCE), "move what both must agree on to slipway_crds/contract.py"


@pytest.mark.parametrize(
    ("module", "settings"), [("agents/builders.py", HostSettings), ("indexes/ingest.py", IngestSettings)]
)
def test_pods_get_variables_that_the_runtime_reads(module: str, settings: type[Settings]) -> None:
    tree = ast.parse((SIDES[0] / module).read_text())
    named = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    variables = {each for each in named if each.startswith("SLIPWAY_")}
    assert variables
    assert variables <= {f"SLIPWAY_{field.upper()}" for field in settings.model_fields}


async def test_the_tables_of_an_index_are_those_that_name_it(tmp_path: Path) -> None:
    database = await open_database(f"sqlite:///{tmp_path}/store.db")
    try:
        rows = await database.fetch(
            "SELECT m.name FROM sqlite_master m, pragma_table_info(m.name) c "
            "WHERE m.type = 'table' AND c.name = 'index_name' ORDER BY m.name"
        )
    finally:
        await database.close()
    assert tuple(row["name"] for row in rows) == contract.INDEX_TABLES
