"""Workflows run nothing that can change under them, may do no more than they must, and run commands that exist."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway_demo.images import ALL, IMAGES

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))
ACTIONS = sorted((ROOT / ".github" / "actions").glob("*/action.yaml"))
USES = re.compile(r"^\s*(?:- )?uses:\s*(.*)$", re.MULTILINE)
PINNED = re.compile(
    r"(?P<action>[\w.-]+/[\w.-]+)@[0-9a-f]{40} # v\d+\.\d+\.\d+, github\.com/(?P<source>[\w.-]+/[\w.-]+)"
)
MAKE = re.compile(r"\bmake ((?:[a-z0-9-]+ ?)+)")
COMMIT = re.compile(r"[0-9a-f]{40}")
EXPRESSION = re.compile(r"\$\{\{")
ALLOWED = {
    ("release", "publish"): {"packages": "write", "id-token": "write"},
    ("release", "attest"): {"packages": "write", "id-token": "write", "attestations": "write"},
    ("release", "notes"): {"contents": "write"},
    ("terraform", "run"): {"id-token": "write"},
}
"""Every right to write, by workflow and job. A new one is written down here, beside its reason in the workflow."""


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def load(path: Path) -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load(path.read_text())
    return loaded


JOBS = [
    pytest.param(path.stem, name, job, id=f"{path.stem}: {name}")
    for path in WORKFLOWS
    for name, job in load(path)["jobs"].items()
]


def problems_of_pin(uses: str, root: Path = ROOT) -> str:
    """What is wrong with a `uses:`; empty if nothing is."""
    if uses.startswith("./"):
        return "" if (root / uses).exists() else f"{uses} does not exist"
    found = PINNED.fullmatch(uses)
    if not found:
        return f"{uses}: write OWNER/NAME@COMMIT # vX.Y.Z, github.com/OWNER/NAME"
    return "" if found["action"] == found["source"] else f"{uses}: the source is another repository"


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=name_of)
def test_actions_are_pinned_by_commit_with_tag_and_source(path: Path) -> None:
    assert [problem for uses in USES.findall(path.read_text()) if (problem := problems_of_pin(uses))] == []


@pytest.mark.parametrize(
    "uses",
    [
        "actions/checkout@v7",
        "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1",
        "actions/checkout@3d3c42e # v7.0.1, github.com/actions/checkout",
        "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1, github.com/someone/checkout",
        "./.github/actions/gone",
    ],
)
def test_what_is_not_pinned_is_seen(uses: str) -> None:
    assert problems_of_pin(uses)


def test_one_action_has_one_version() -> None:
    pins = {
        pin for path in [*WORKFLOWS, *ACTIONS] for pin in USES.findall(path.read_text()) if not pin.startswith("./")
    }
    names = [pin.partition("@")[0] for pin in pins]
    assert len(names) >= 8
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=name_of)
def test_another_repository_is_checked_out_at_a_commit(path: Path) -> None:
    loaded = load(path)
    jobs = [*loaded.get("jobs", {}).values(), loaded.get("runs", {})]
    given = [step.get("with", {}) for job in jobs for step in job.get("steps", ())]
    assert [each for each in given if "repository" in each and not COMMIT.fullmatch(str(each.get("ref", "")))] == []


def test_pipelines_are_checked_against_the_schema_of_harness_wherever_their_tests_run() -> None:
    for name, job in load(ROOT / ".github" / "workflows" / "ci.yaml")["jobs"].items():
        steps = [step.get("uses") or step["run"] for step in job["steps"]]
        assert steps.index("./.github/actions/harness-schema") < min(
            place for place, step in enumerate(steps) if step.startswith(("make check", "make test"))
        ), name


def test_dependabot_watches_every_folder_with_a_lock() -> None:
    """A pattern of directories is one of .github/dependabot.yml; `**` stands for any depth there too."""
    updates = load(ROOT / ".github" / "dependabot.yml")["updates"]
    watched = {
        each["package-ecosystem"]: each.get("directories") or [each["directory"]]
        for each in updates
        if each["schedule"]["interval"] == "weekly"
    }
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    manifests = {"go.mod": "gomod", "package-lock.json": "npm", "Dockerfile": "docker", "versions.tf": "terraform"}
    here = {(kind, str(path.parent)) for path in map(Path, files) if (kind := manifests.get(path.name))}
    here |= {("pip", str(path.parent)) for path in map(Path, files) if path.parent.name == "requirements"}
    assert {kind for kind, _ in here} == {"gomod", "npm", "docker", "terraform", "pip"}
    unwatched = [
        (kind, folder)
        for kind, folder in sorted(here)
        if not any(matches(folder, pattern.strip("/")) for pattern in watched.get(kind, ()))
    ]
    assert unwatched == []


def matches(folder: str, pattern: str) -> bool:
    """Whether dependabot's pattern names the folder: `*` within one level, `**` over any number of them."""
    if pattern == "":
        return folder == "."
    parts = [".+" if part == "**" else re.escape(part).replace(r"\*", "[^/]+") for part in pattern.split("/")]
    return re.fullmatch("/".join(parts).replace(".+/", "(.+/)?"), folder) is not None


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_a_workflow_has_no_rights_of_its_own_and_does_not_pile_up(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {}
    assert "group" in workflow["concurrency"]
    assert "pull_request_target" not in path.read_text()


@pytest.mark.parametrize(("workflow", "name", "job"), JOBS)
def test_a_job_may_write_only_what_is_written_down(workflow: str, name: str, job: dict[str, Any]) -> None:
    writes = {right: level for right, level in job["permissions"].items() if level != "read"}
    assert writes == ALLOWED.get((workflow, name), {})


@pytest.mark.parametrize(("workflow", "name", "job"), JOBS)
def test_a_job_ends(workflow: str, name: str, job: dict[str, Any]) -> None:
    assert "uses" in job or 0 < job["timeout-minutes"] <= 120, (workflow, name)


@pytest.mark.parametrize(("workflow", "name", "job"), JOBS)
def test_no_script_has_an_expression_in_it(workflow: str, name: str, job: dict[str, Any]) -> None:
    """What a stranger may write (a branch, a title, an input) must come as a variable and never as text of a script."""
    scripts = [step["run"] for step in job.get("steps", ()) if "run" in step]
    found = [script for script in scripts if EXPRESSION.search(script)]
    assert [
        script for script in found if "inputs." in script or "github.event" in script or "github.ref" in script
    ] == []


def make_targets(text: str) -> set[str]:
    return {target for words in MAKE.findall(text) for target in words.split()}


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_commands_of_make_exist(path: Path) -> None:
    existing = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    scripts = [step["run"] for job in load(path)["jobs"].values() for step in job.get("steps", ()) if "run" in step]
    named = {target for script in scripts for target in make_targets(re.sub(r"apt-get[^&\n]*", "", script))}
    assert named or path.stem == "deploy"
    assert sorted(named - existing) == []


def test_what_makes_a_release_is_what_a_deployment_trusts() -> None:
    deploy = (ROOT / ".github" / "workflows" / "deploy.yaml").read_text()
    assert ".github/workflows/release.yaml@refs/tags/v" in deploy
    assert deploy.index("cosign verify") < deploy.index("helm upgrade")


def test_every_image_is_attested_and_what_the_chart_installs_is_verified() -> None:
    release = load(ROOT / ".github" / "workflows" / "release.yaml")["jobs"]
    assert release["attest"]["strategy"]["matrix"]["image"] == [image.name for image in ALL]
    deploy = (ROOT / ".github" / "workflows" / "deploy.yaml").read_text()
    assert f"for name in {' '.join(image.name for image in IMAGES)} charts/slipway; do" in deploy


def test_production_comes_last() -> None:
    release = load(ROOT / ".github" / "workflows" / "release.yaml")["jobs"]
    assert "test" in release["publish"]["needs"]
    chain = [("dev", "attest"), ("staging", "dev"), ("prod", "staging")]
    assert all(before in release[environment]["needs"] for environment, before in chain)


def test_a_deployment_sets_values_that_the_chart_has() -> None:
    deploy = (ROOT / ".github" / "workflows" / "deploy.yaml").read_text()
    named = re.findall(r'--set(?:-string)? "([A-Za-z.]+)=', deploy)
    assert "image.registry" in named
    values = load(ROOT / "charts" / "slipway" / "values.yaml")
    for name in named:
        where: Any = values
        for key in name.split("."):
            assert key in where, name
            where = where[key]
