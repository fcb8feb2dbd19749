"""Manifests from a stranger, given to every command that reads some: small files that would take memory and hours."""

import subprocess
import sys
from pathlib import Path

import pytest

SLIPWAY = Path(sys.executable).with_name("slipway")
HEAD = "apiVersion: slipway.dev/v1alpha1\nkind: Agent\nmetadata: {name: a}\nspec:\n"
BOMB = "\n".join([f"{HEAD}  a0: &a0 x"] + [f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)])
HOSTILE = {
    "an alias bomb": (BOMB, "values with its aliases (*name) written out"),
    "a number of 5,000 digits": (f"{HEAD}  knowledge: [{{topK: {'9' * 5000}}}]", ":5: this number has 5000 characters"),
    "deep nesting": (f"{HEAD}  knowledge: {'[' * 50_000}", ":5: this is nested deeper than 100 levels"),
    "documents without end": ("---\n" * 300_000, ":10001: this file has more than 10000 documents: split it"),
    "an anchor in itself": (f"{HEAD}  knowledge: &k [*k]", ":5: this alias contains itself"),
}
STATUS = {"validate": 1, "dev": 1, "eval": 2}


@pytest.mark.parametrize(
    ("command", "what"),
    [*(("validate", what) for what in HOSTILE), ("dev", "an alias bomb"), ("eval", "an alias bomb")],
)
def test_hostile_manifests_are_refused_in_a_sentence(tmp_path: Path, command: str, what: str) -> None:
    text, says = HOSTILE[what]
    file = tmp_path / "agent.yaml"
    file.write_text(text)
    port = ["--port", "0", "--data", str(tmp_path / "data")] if command == "dev" else []
    ended = subprocess.run([SLIPWAY, command, "-f", file, *port], capture_output=True, text=True, check=False)
    assert ended.returncode == STATUS[command]
    assert says in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr


def test_the_cases_in_a_config_map_are_read_within_the_same_bounds(tmp_path: Path) -> None:
    text = "cases:\n" + "\n".join(f"  {line}" for line in BOMB.splitlines()[4:])
    lines = "\n".join(f"    {line}" for line in text.splitlines())
    (tmp_path / "cases.yaml").write_text(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: cases}}\ndata:\n  cases.yaml: |\n{lines}\n"
    )
    ended = subprocess.run([SLIPWAY, "eval", "-f", tmp_path], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "cases.yaml: cases.yaml:8: up to here this file has more than 500000 values" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr
