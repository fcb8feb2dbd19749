"""The documents say what the code does: links lead somewhere, and every reason, metric, value and target is named.

The handbook agent quotes these pages, so a page that has fallen behind is a wrong answer.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from slipway_crds.validate import validate_documents
from slipway_runtime.problems import KINDS, Reason

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
GUIDES = [page for page in PAGES if "reference" not in page.parts]
PACKAGES = (ROOT / "operator" / "slipway_operator", ROOT / "agent-runtime" / "slipway_runtime")
LINK = re.compile(r"\]\((?!https?://)([^)#\s]+)(?:#[^)]*)?\)")
METRIC = re.compile(r"\b(Counter|Gauge|Histogram)\(\s*\"(slipway_[a-z_]+)\"")
YAML_BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
TARGET = re.compile(r"`make ([a-z-]+)")
VALUE = re.compile(
    r"`((?:image|operator|gateway|host|index|ingest|postgres|crds|networkPolicies|proxy|caBundle|telemetry|rollout|testing)"
    r"(?:\.[A-Za-z]+)+)[`:]"
)


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    missing = [link for link in LINK.findall(path.read_text()) if not (path.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("reason", Reason)
def test_every_http_reason_is_explained_with_its_code(reason: Reason) -> None:
    code = KINDS[reason].status
    assert f"| {code} `{reason.value}` |" in page("troubleshooting.md")
    rows = [line for line in page("http-api.md").splitlines() if line.startswith(f"| {code} |")]
    assert rows
    assert f"`{reason.value}`" in rows[0]


def reasons_in(tree: ast.AST) -> Iterator[str]:
    """Reasons written out where a condition is made: `Statement(type, holds, reason, ...)`, `Trouble(reason, ...)`."""
    position = {"Statement": 2, "Trouble": 0}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in position:
            argument = node.args[position[node.func.id]] if node.args else None
            for part in ast.walk(argument) if argument is not None else ():
                if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value[:1].isupper():
                    yield part.value


def test_every_reason_of_the_operator_is_explained() -> None:
    files = (ROOT / "operator" / "slipway_operator").rglob("*.py")
    reasons = {reason for file in files for reason in reasons_in(ast.parse(file.read_text()))}
    assert {"Serving", "WaitingForPods", "ImagePullFailed"} <= reasons, "the search finds nothing any more"
    explained = page("troubleshooting.md")
    # `Resolved=True, Resolved` and the like say nothing beyond the condition's own name.
    own_names = {"Resolved", "Available", "Synced"}
    assert sorted(reason for reason in reasons - own_names if f"`{reason}`" not in explained) == []


def test_every_metric_is_listed() -> None:
    sources = [file.read_text() for package in PACKAGES for file in package.rglob("*.py")]
    found = {match for source in sources for match in METRIC.findall(source)}
    ours = {name.removesuffix("_total") + ("_total" if kind == "Counter" else "") for kind, name in found}
    assert "slipway_runs_in_flight" in ours
    listed = set(re.findall(r"`(slipway_[a-z_]+)`", page("operations.md")))
    assert listed == ours


def test_named_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {target for path in GUIDES for target in TARGET.findall(path.read_text())}
    assert "demo" in named
    assert sorted(named - targets) == []


def test_named_chart_values_exist() -> None:
    values = yaml.safe_load((ROOT / "charts" / "slipway" / "values.yaml").read_text())
    named = {value for path in GUIDES for value in VALUE.findall(path.read_text())}
    assert "gateway.defaultAgent" in named
    assert sorted(value for value in named if not has(values, value.split("."))) == []


def test_named_environment_variables_exist() -> None:
    named = {name for path in GUIDES for name in re.findall(r"`(SLIPWAY_[A-Z_]+)`", path.read_text())}
    sources = "".join(file.read_text() for package in PACKAGES for file in package.rglob("*.py"))
    assert "SLIPWAY_URL" in named
    assert sorted(name for name in named if f'"{name}"' not in sources) == []


def test_manifests_in_the_pages_are_valid() -> None:
    blocks = [block for path in GUIDES for block in YAML_BLOCK.findall(path.read_text())]
    manifests = [each for block in blocks for each in yaml.safe_load_all(block) if "apiVersion" in each]
    assert manifests
    assert [str(finding) for finding in validate_documents(manifests) if not finding.problem.waiting] == []


def has(tree: object, path: list[str]) -> bool:
    for key in path:
        if not isinstance(tree, dict) or key not in tree:
            return False
        tree = tree[key]
    return True
