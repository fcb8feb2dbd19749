"""Workflows run nothing that can change under them, may do no more than they must, and run commands that exist."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.deploy.__main__ import BACK, STEPS
from scripts.deploy.objects import Strategy
from slipway_demo.images import ALL

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))
ACTIONS = sorted((ROOT / ".github" / "actions").glob("*/action.yaml"))
USES = re.compile(r"^\s*(?:- )?uses:\s*(.*)$", re.MULTILINE)
PINNED = re.compile(
    r"(?P<action>[\w.-]+/[\w.-]+)@[0-9a-f]{40} # v\d+\.\d+\.\d+, github\.com/(?P<source>[\w.-]+/[\w.-]+)"
)
MAKE = re.compile(r"\bmake ((?:[a-z0-9-]+ ?)+)")
COMMIT = re.compile(r"[0-9a-f]{40}")
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
IN_SCRIPTS = {"matrix.kubernetes"}
"""Expressions that a script may have in it: what these workflows say themselves."""
ALLOWED = {
    ("release", "publish"): {"packages": "write", "id-token": "write"},
    ("release", "attest"): {"packages": "write", "id-token": "write", "attestations": "write"},
    ("release", "notes"): {"contents": "write"},
    ("terraform", "run"): {"id-token": "write"},
}
"""Every right to write, by workflow and job. A new one is written down here, next to its reason in the workflow."""


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


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_containers_of_jobs_are_pinned_by_digest(path: Path) -> None:
    images = [job["container"]["image"] for job in load(path)["jobs"].values() if "container" in job]
    assert [image for image in images if not re.fullmatch(r"\S+@sha256:[0-9a-f]{64}", image)] == []


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


def scripts_of(loaded: dict[Any, Any]) -> list[str]:
    """Every script of a workflow or of an action."""
    jobs = [*loaded.get("jobs", {}).values(), loaded.get("runs", {})]
    return [step["run"] for job in jobs for step in job.get("steps", ()) if "run" in step]


def expressions_in(scripts: list[str]) -> set[str]:
    return {found for script in scripts for found in EXPRESSION.findall(script)}


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=name_of)
def test_no_script_has_an_expression_in_it(path: Path) -> None:
    """What a stranger may write (a branch, a title, an input) must come as a variable and never as text of a script."""
    assert expressions_in(scripts_of(load(path))) - IN_SCRIPTS == set()


def test_an_expression_in_a_script_is_seen_in_actions_too() -> None:
    step = {"run": 'echo "${{ inputs.version }}" "${{github.head_ref}}"'}
    for loaded in ({"jobs": {"a": {"steps": [step]}}}, {"runs": {"steps": [{"uses": "./a"}, step]}}):
        assert expressions_in(scripts_of(loaded)) == {"inputs.version", "github.head_ref"}
    assert any(scripts_of(load(path)) for path in ACTIONS)


def make_targets(text: str) -> set[str]:
    return {target for words in MAKE.findall(text) for target in words.split()}


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_commands_of_make_exist(path: Path) -> None:
    existing = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        target for script in scripts_of(load(path)) for target in make_targets(re.sub(r"apt-get[^&\n]*", "", script))
    }
    assert named
    assert sorted(named - existing) == []


def text(*parts: str) -> str:
    return (ROOT / ".github" / Path(*parts)).read_text()


def steps_of(workflow: str, job: str) -> str:
    """Everything that a job says, in order."""
    return yaml.safe_dump(load(ROOT / ".github" / "workflows" / f"{workflow}.yaml")["jobs"][job], sort_keys=False)


def test_what_makes_a_release_is_what_a_deployment_trusts() -> None:
    release = text("actions", "release", "action.yaml")
    assert ".github/workflows/release.yaml@refs/tags/v" in release
    assert release.index("gh release download") < release.index("cosign verify")
    for job in ("candidate", "finish"):
        deploy = steps_of("deploy", job)
        assert deploy.index("./.github/actions/release") < deploy.index("make deploy")


def test_nothing_is_signed_verified_or_installed_by_tag() -> None:
    references = "jq -r '.[] | \"\\(.image)@\\(.digest)\"'"
    assert references in text("workflows", "release.yaml")
    assert references.replace("jq -r", "jq -er") in text("actions", "release", "action.yaml")
    for path in [*WORKFLOWS, *ACTIONS]:
        assert "helm upgrade" not in path.read_text(), path  # scripts/deploy does, by digest
        assert ":$VERSION" not in path.read_text(), path


def test_every_image_is_attested_and_what_was_published_reaches_the_deployment() -> None:
    release = load(ROOT / ".github" / "workflows" / "release.yaml")["jobs"]
    assert release["attest"]["strategy"]["matrix"]["image"] == [image.name for image in ALL]
    assert ".make/published/digests.json .make/published/chart.json > .make/published.json" in steps_of(
        "release", "publish"
    )
    assert "--generate-notes published.json" in steps_of("release", "notes")
    assert "--pattern published.json" in text("actions", "release", "action.yaml")


def test_production_comes_last_and_callers_meet_it_more_carefully() -> None:
    release = load(ROOT / ".github" / "workflows" / "release.yaml")["jobs"]
    assert "test" in release["publish"]["needs"]
    chain = [("notes", "attest"), ("dev", "notes"), ("staging", "dev"), ("prod", "staging")]
    assert all(before in release[job]["needs"] for job, before in chain)
    strategies = {job: release[job]["with"]["strategy"] for job in ("dev", "staging", "prod")}
    assert strategies == {"dev": "rolling", "staging": "blue-green", "prod": "canary"}


def test_deployments_say_a_step_and_a_strategy_that_there_are() -> None:
    said = set(re.findall(r"make deploy STEP=([a-z-]+)", text("workflows", "deploy.yaml")))
    assert said == {*STEPS, BACK}
    chosen = load(ROOT / ".github" / "workflows" / "deploy.yaml")[True]["workflow_dispatch"]["inputs"]["strategy"]
    assert sorted(chosen["options"]) == sorted(Strategy)


def deploy_job(name: str) -> dict[str, Any]:
    job: dict[str, Any] = load(ROOT / ".github" / "workflows" / "deploy.yaml")["jobs"][name]
    return job


@pytest.mark.parametrize("name", ["candidate", "finish"])
def test_what_failed_is_taken_back_at_once_by_the_job_that_did_it(name: str) -> None:
    """A job of its own would wait for the environment's reviewers, while callers meet the bad gateway."""
    job = deploy_job(name)
    (back,) = [step for step in job["steps"] if step.get("run") == "make deploy STEP=roll-back"]
    assert back["if"] == "(failure() || cancelled()) && inputs.strategy != 'rolling'"
    later = job["steps"][job["steps"].index(back) + 1 :]
    assert [step["run"] for step in later] == ['rm -f "$RUNNER_TEMP/kubeconfig"']
    assert job["outputs"]["back"] == f"${{{{ steps.{back['id']}.outcome }}}}"


def test_what_no_step_took_back_is_taken_back_by_a_job() -> None:
    """A refused promotion, in which no step runs, and a runner that was lost."""
    back = deploy_job("roll-back")
    assert back["needs"] == ["candidate", "finish"]
    assert "always()" in back["if"]
    assert all(f"needs.{job}.result != 'success'" in back["if"] for job in back["needs"])
    assert all(f"needs.{job}.outputs.back != 'success'" in back["if"] for job in back["needs"])


def test_the_way_back_needs_no_registry_and_no_signature() -> None:
    """They may be what has failed."""
    for name in ("candidate", "finish", "roll-back"):
        used = [step["uses"] for step in deploy_job(name)["steps"] if step.get("uses", "").startswith("./")]
        assert used[0] == "./.github/actions/cluster"  # so its variables are there when `release` fails
        assert used[1:] == ([] if name == "roll-back" else ["./.github/actions/release"])
    cluster = text("actions", "cluster", "action.yaml")
    assert not any(word in cluster for word in ("cosign", "gh release", "registry login", "PUBLISHED", "VALUES"))
    assert "packages" not in deploy_job("roll-back")["permissions"]


def test_whoever_takes_over_was_agreed_to_by_people_of_that_environment() -> None:
    finish = load(ROOT / ".github" / "workflows" / "deploy.yaml")["jobs"]["finish"]
    assert "format('{0}-promotion', inputs.environment)" in finish["environment"]


def test_agents_that_are_delivered_exist() -> None:
    named = re.findall(r"examples/\S+\.yaml", text("workflows", "deploy.yaml"))
    assert len(named) == 3
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_an_environment_may_say_any_value_of_the_chart_over_the_common_ones() -> None:
    given = {
        name: step["with"]["values"]
        for name in ("candidate", "finish")
        for step in deploy_job(name)["steps"]
        if step.get("uses") == "./.github/actions/release"
    }
    # What was tried in ENVIRONMENT takes over, whatever ENVIRONMENT-promotion says.
    assert deploy_job("candidate")["outputs"]["values"] == given["candidate"] == "${{ vars.VALUES }}"
    assert given["finish"] == "${{ inputs.strategy == 'rolling' && vars.VALUES || needs.candidate.outputs.values }}"
    # helm lets the later file win.
    assert "VALUES=.github/values.yaml $RUNNER_TEMP/values.yaml" in text("actions", "release", "action.yaml")
    common = load(ROOT / ".github" / "values.yaml")
    assert common["gateway"]["auth"]["existingSecret"] == "slipway-callers"
    assert unknown(common, load(ROOT / "charts" / "slipway" / "values.yaml")) == []


def unknown(named: dict[str, Any], known: dict[str, Any]) -> list[str]:
    """Keys, at any depth, that are not among the known ones."""
    found = [key for key in named if key not in known]
    for key, value in named.items():
        if isinstance(value, dict) and key in known:
            found += [f"{key}.{each}" for each in unknown(value, known[key])]
    return found


def test_terraform_installs_the_chart_where_the_environment_says_so_and_not_by_a_tick() -> None:
    """A tick that somebody forgets would be a plan to remove the release."""
    workflow = load(ROOT / ".github" / "workflows" / "terraform.yaml")
    inputs = workflow[True]["workflow_dispatch"]["inputs"]
    assert set(inputs) == {"stack", "environment", "apply"}
    for name in ("install_slipway", "image_tag"):
        assert workflow["jobs"]["run"]["env"][name.upper()] == f"${{{{ vars.{name.upper()} }}}}"
        for stack in inputs["stack"]["options"]:
            assert f'variable "{name}"' in (ROOT / "terraform" / "stacks" / stack / "variables.tf").read_text()


@pytest.mark.parametrize(
    ("install", "tag", "said"),
    [
        ("false", "", "install_slipway=false"),
        ("false", "0.2.0", "install_slipway=false"),
        ("true", "0.2.0", "install_slipway=true -var=image_tag=0.2.0"),
        ("true", "", "set the variable IMAGE_TAG"),
        ("", "", "set the variable INSTALL_SLIPWAY"),
        ("yes", "0.2.0", "set the variable INSTALL_SLIPWAY"),
    ],
)
def test_a_plan_says_who_installs_the_chart_or_does_not_take_place(install: str, tag: str, said: str) -> None:
    steps = load(ROOT / ".github" / "workflows" / "terraform.yaml")["jobs"]["run"]["steps"]
    (plan,) = [step["run"] for step in steps if " plan " in step.get("run", "")]
    env = {"INSTALL_SLIPWAY": install, "IMAGE_TAG": tag, "STACK": "gcp", "ENVIRONMENT": "dev", "RUNNER_TEMP": "/tmp"}
    command = ["bash", "-e", "-c", 'terraform() { echo "$*"; }\n' + plan]
    done = subprocess.run(command, env=env | {"PATH": os.defpath}, capture_output=True, text=True, check=False)
    planned = said.startswith("install_slipway")
    assert (done.returncode == 0) is planned, done.stderr
    assert f"-var={said} -out=" in done.stdout if planned else said in done.stderr
