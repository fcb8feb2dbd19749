"""GitHub and Harness stop a release at the same gates: a table of both, and nothing of Harness's outside the table."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Gate:
    """One thing that a release must pass, by what does it on both sides."""

    harness: str
    """A make target, or the type of a step."""
    where: str
    """WORKFLOW/JOB on GitHub, or the name of an action of this repository."""
    github: str
    """What is said there."""


GATES = (
    Gate("make test", "ci/test", "make test"),
    Gate("make test-all-agents", "ci/test", "make test-all-agents"),
    Gate("make eval", "ci/fast", "make eval"),
    Gate("make ragas", "ci/test", "make ragas"),
    Gate("make audit", "security/audit", "make audit"),
    Gate("make audit", "release/publish", "make audit"),
    Gate("Bandit", "security/audit", "make audit"),
    Gate("Semgrep", "security/audit", "make semgrep"),
    Gate("Semgrep", "release/publish", "make semgrep"),
    Gate("Gitleaks", "security/audit", "fetch-depth: 0"),
    Gate("OsvScanner", "security/audit", "make vulnerabilities"),
    Gate("Checkov", "terraform/check", "make scan-terraform"),
    Gate("make publish-images", "release/publish", "make publish-images"),
    Gate("make publish-chart", "release/publish", "make publish-chart"),
    Gate("AquaTrivy", "release/publish", "make vulnerabilities"),
    Gate("SscaOrchestration", "release/attest", "sbom-path"),
    Gate("SscaArtifactSigning", "release/publish", "cosign sign --yes"),
    Gate("SscaArtifactVerification", "release", "cosign verify"),
    Gate("K8sRollingDeploy", "deploy/finish", "make deploy STEP=finish"),
    Gate("K8sBlueGreenDeploy", "deploy/beside", "make deploy STEP=start"),
    Gate("K8sCanaryDeploy", "deploy/beside", "make deploy STEP=start"),
    Gate("Http", "deploy/beside", "make deploy STEP=start"),
    Gate("Http", "deploy/finish", "make deploy STEP=finish"),
    Gate("Verify Canary", "deploy/beside", "make deploy STEP=compare"),
    Gate("Verify Bluegreen", "deploy/finish", "make deploy STEP=compare"),
    Gate("HarnessApproval", "deploy/finish", "-promotion"),
    Gate("K8sBGSwapServices", "deploy/finish", "make deploy STEP=switch"),
    Gate("K8sCanaryDelete", "deploy/beside", "make deploy STEP=roll-back"),
    Gate("K8sCanaryDelete", "deploy/roll-back", "make deploy STEP=roll-back"),
    Gate("K8sBlueGreenStageScaleDown", "deploy/finish", "make deploy STEP=finish"),
    Gate("K8sRollingRollback", "deploy/finish", "make deploy STEP=roll-back"),
    Gate("K8sRollingRollback", "deploy/roll-back", "make deploy STEP=roll-back"),
    Gate("terraform init", "terraform/run", "init -backend-config"),
    Gate("terraform plan", "terraform/run", "plan -lock-timeout"),
    Gate("terraform apply", "terraform/run", " apply "),
    Gate("IACMCheckov", "terraform/check", "make scan-terraform"),
    Gate("IACMApproval", "terraform/run", "-infrastructure"),
)


def said(where: str) -> str:
    """Everything that a job, or an action of this repository, says on GitHub."""
    workflow, _, job = where.partition("/")
    if not job:
        return (ROOT / ".github" / "actions" / workflow / "action.yaml").read_text()
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / f"{workflow}.yaml").read_text())["jobs"]
    return yaml.safe_dump(jobs[job], width=10_000)


def steps(node: Any) -> Iterator[str]:
    """Names of the steps in a tree, and of what templates of a step are given, as the table has them."""
    parts = list(node.items()) if isinstance(node, dict) else [(None, each) for each in node]
    for key, each in parts:
        if key in ("step", "templateInputs") and isinstance(each, dict) and (found := name_of(each)):
            yield found
        if isinstance(each, dict | list):
            yield from steps(each)


def name_of(step: dict[str, Any]) -> str:
    """A step's name in the table; empty for what has no type of its own (a template's place, a stage)."""
    kind, spec = str(step.get("type", "")), step.get("spec", {})
    if kind == "Run":
        found = re.match(r"make [a-z-]+", str(spec["command"]))
        return found[0] if found else "Run"
    names = {"IACMTerraformPlugin": f"terraform {spec.get('command')}", "Verify": f"Verify {spec.get('type')}"}
    return names.get(kind, "" if kind in ("Deployment", "IACM") else kind)


def of_harness() -> set[str]:
    """Every step of the pipeline `slipway` and of the templates, but for the one of the GitOps pipeline."""
    templates = sorted((ROOT / ".harness" / "templates").glob("*.yaml"))
    files = [ROOT / ".harness" / "pipelines" / "slipway.yaml", *(each for each in templates if each.stem != "promote")]
    return {name for file in files for name in steps(yaml.safe_load(file.read_text()))}


def says(text: str, words: str) -> bool:
    """Whether a text has those words, whole: `make test` is not said by `make test-all-agents`."""
    return re.search(rf"(?<![\w-]){re.escape(words.strip())}(?![\w-])", text) is not None


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: f"{gate.harness}: {gate.where}")
def test_a_gate_is_on_both_sides(gate: Gate) -> None:
    assert says(said(gate.where), gate.github)
    assert gate.harness in of_harness()


def test_a_target_whose_name_begins_alike_is_no_gate() -> None:
    whole = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yaml").read_text())["jobs"]["test"]
    whole["steps"].remove({"run": "make test"})
    rest = yaml.safe_dump(whole)
    assert says(rest, "make test-all-agents")
    assert not says(rest, "make test")


def test_harness_has_no_gate_that_the_table_lacks() -> None:
    assert of_harness() - {gate.harness for gate in GATES} == set()
