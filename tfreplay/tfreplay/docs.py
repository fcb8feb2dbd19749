"""The tables of inputs and outputs in the README of each Terraform module, from the module's own HCL."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hcl2

from tfreplay.errors import ReplayError

Json = dict[str, Any]

BEGIN, END = "<!-- BEGIN INPUTS -->", "<!-- END INPUTS -->"
_BETWEEN = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
_LONGEST_DEFAULT = 60


@dataclass(frozen=True)
class Variable:
    """An input of a module."""

    name: str
    type: str
    description: str
    default: str | None
    """As written in HCL; None if a value must be given."""
    sensitive: bool


@dataclass(frozen=True)
class ModuleOutput:
    """An output of a module."""

    name: str
    description: str
    sensitive: bool


def modules(tree: Path) -> list[Path]:
    """The folders below `tree` that are documented: those whose README has the two markers."""
    return sorted(path.parent for path in tree.rglob("README.md") if BEGIN in path.read_text())


def blocks(folder: Path, kind: str) -> list[tuple[str, Json]]:
    """Every `variable` or `output` block in a folder, in the order of the files. Raises ReplayError for broken HCL."""
    found: list[tuple[str, Json]] = []
    for path in sorted(folder.glob("*.tf")):
        try:
            parsed = hcl2.loads(path.read_text())
        except Exception as error:
            raise ReplayError(f"{path} is no HCL: run terraform fmt on it\n{error}") from error
        found += [(_text(name), body) for each in parsed.get(kind, []) for name, body in each.items()]
    return found


def _text(value: Any) -> str:
    """A string of python-hcl2, which keeps the quotes."""
    return str(value).removeprefix('"').removesuffix('"')


def variables(folder: Path) -> list[Variable]:
    """The inputs of the module in `folder`, those without a default first."""
    found = [
        Variable(
            name,
            _expression(body.get("type", "any")),
            _prose(body.get("description", "")),
            _expression(body["default"]) if "default" in body else None,
            body.get("sensitive") is True,
        )
        for name, body in blocks(folder, "variable")
    ]
    return sorted(found, key=lambda each: (each.default is not None, each.name))


def outputs(folder: Path) -> list[ModuleOutput]:
    """The outputs of the module in `folder`."""
    found = [
        ModuleOutput(name, _prose(body.get("description", "")), body.get("sensitive") is True)
        for name, body in blocks(folder, "output")
    ]
    return sorted(found, key=lambda each: each.name)


def _prose(value: Any) -> str:
    return " ".join(_text(value).replace('\\"', '"').split())


def _expression(value: Any) -> str:
    """A type or default on one line, as HCL has it."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(_expression(each) for each in value)}]"
        case dict():
            shown = {key: each for key, each in value.items() if not str(key).startswith("__")}
            return f"{{ {', '.join(f'{_text(key)} = {_expression(each)}' for key, each in shown.items())} }}"
    return " ".join(re.sub(r"^\$\{(.*)\}$", r"\1", str(value), flags=re.DOTALL).split())


def tables(folder: Path) -> str:
    """Both tables, between the markers."""
    lines = [BEGIN, "", "| Input | Type | Default | What it is |", "|---|---|---|---|"]
    for each in variables(folder):
        default = "required" if each.default is None else f"`{_short(each.default)}`"
        remark = f"{each.description} Sensitive." if each.sensitive else each.description
        lines.append(f"| `{each.name}` | `{_cell(each.type)}` | {_cell(default)} | {_cell(remark)} |")
    lines += ["", "| Output | What it is |", "|---|---|"]
    for output in outputs(folder):
        remark = f"{output.description} Sensitive." if output.sensitive else output.description
        lines.append(f"| `{output.name}` | {_cell(remark)} |")
    return "\n".join([*lines, "", END])


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_DEFAULT else f"{text[: _LONGEST_DEFAULT - 3]}..."


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def documented(folder: Path) -> str:
    """The README of `folder` with up-to-date tables."""
    return _BETWEEN.sub(lambda _: tables(folder), (folder / "README.md").read_text(), count=1)
