"""No field is inert: each one that a user can write in `spec` has a test that proves what it does.

The test says so itself: `@pytest.mark.proves("Agent.knowledge[].topK")`; `*` stands for any part of a path, for models
that several kinds have. Objects and lists are proven by what is in them.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from slipway_crds.definitions import fields, kind_schema
from slipway_crds.registry import KINDS

TESTS = Path(__file__).resolve().parents[1]


def leaves(kind: str) -> list[str]:
    """Fields of a kind's spec that hold a value, not further fields."""
    spec = kind_schema(KINDS[kind])["properties"]["spec"]
    return [f"{kind}.{path}" for path, field in fields(spec) if not has_members(field)]


def has_members(field: Mapping[str, Any]) -> bool:
    return "properties" in field or "properties" in field.get("items", {})


@cache
def proofs() -> frozenset[str]:
    """What the markers of all tests name."""
    return frozenset(
        name for file in sorted(TESTS.rglob("test_*.py")) for name in named_in(file.read_text(encoding="utf-8"))
    )


def named_in(source: str) -> Iterator[str]:
    """The arguments of `pytest.mark.proves` on the test functions of a file, without running it."""
    if "mark.proves" not in source:
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            calls = (each for each in node.decorator_list if isinstance(each, ast.Call))
            for call in calls:
                if ast.unparse(call.func) == "pytest.mark.proves":
                    yield from (ast.literal_eval(argument) for argument in call.args)


def covers(proof: str, leaf: str) -> bool:
    return re.fullmatch(re.escape(proof).replace(r"\*", ".*"), leaf) is not None


def test_every_field_has_a_test_that_proves_its_effect() -> None:
    silent = [leaf for kind in KINDS for leaf in leaves(kind) if not any(covers(proof, leaf) for proof in proofs())]
    assert silent == [], "mark the test that proves what each of these does with @pytest.mark.proves"


def test_every_proof_is_of_a_field_that_exists() -> None:
    known = [leaf for kind in KINDS for leaf in leaves(kind)]
    assert [proof for proof in sorted(proofs()) if not any(covers(proof, leaf) for leaf in known)] == []


def test_a_marker_on_a_helper_proves_nothing() -> None:
    source = "@pytest.mark.proves('A.a')\ndef helper(): ...\n@pytest.mark.proves('A.b', 'A.c')\ndef test_it(): ...\n"
    assert list(named_in(source)) == ["A.b", "A.c"]
