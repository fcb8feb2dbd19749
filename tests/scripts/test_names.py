"""A public class has a name of its own, so that a name says which one is meant."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("crds", "operator", "agent-runtime", "demo", "devcluster", "tfreplay", "scripts", "benchmarks")
SHARED = {
    "Agent": "the kind, and the protocol of what runs one",
    "JsonFormatter": "the operator and the runtime do not import each other",
}
"""Names that two classes have, with the reason."""


def test_no_two_public_classes_share_a_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for file in (file for package in PACKAGES for file in (ROOT / package).rglob("*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(f"{file.relative_to(ROOT)}:{node.lineno}")
    assert len(places) > 300
    repeated = {name: where for name, where in places.items() if len(where) > 1}
    assert {name: where for name, where in repeated.items() if name not in SHARED} == {}
    assert repeated.keys() == SHARED.keys()
