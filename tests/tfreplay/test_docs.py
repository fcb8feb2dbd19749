"""The tables of inputs and outputs say what the HCL says."""

from pathlib import Path

import pytest

from tfreplay.docs import BEGIN, END, documented, modules, tables
from tfreplay.errors import ReplayError

HCL = """
variable "region" {
  type        = string
  description = "Where it runs, such as \\"europe-west4\\"."
}
variable "sizes" {
  type        = list(number)
  description = "Sizes | in GiB."
  default     = [1, 2]
}
variable "nothing" {
  type        = string
  default     = null
  sensitive   = true
  description = "May be missing."
}
output "address" {
  description = "Where it answers."
  value       = var.region
}
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    (tmp_path / "main.tf").write_text(HCL)
    (tmp_path / "README.md").write_text(f"# A module\n\n{BEGIN}\nold\n{END}\n\nMore.\n")
    return tmp_path


def test_the_tables(module: Path) -> None:
    assert tables(module).splitlines()[2:-2] == [
        "| Input | Type | Default | What it is |",
        "|---|---|---|---|",
        '| `region` | `string` | required | Where it runs, such as "europe-west4". |',
        "| `nothing` | `string` | `null` | May be missing. Sensitive. |",
        "| `sizes` | `list(number)` | `[1, 2]` | Sizes \\| in GiB. |",
        "",
        "| Output | What it is |",
        "|---|---|",
        "| `address` | Where it answers. |",
    ]


def test_only_what_is_between_the_markers_is_written(module: Path) -> None:
    text = documented(module)
    assert text.startswith("# A module\n")
    assert text.endswith(f"{END}\n\nMore.\n")
    assert "old" not in text


def test_writing_twice_changes_nothing(module: Path) -> None:
    (module / "README.md").write_text(documented(module))
    assert documented(module) == (module / "README.md").read_text()


def test_a_readme_without_markers_is_left_alone(module: Path) -> None:
    (module / "README.md").write_text("# Own words\n")
    assert modules(module) == []


def test_broken_hcl_is_named(module: Path) -> None:
    (module / "broken.tf").write_text('variable "x" {')
    with pytest.raises(ReplayError, match=r"broken\.tf"):
        tables(module)
