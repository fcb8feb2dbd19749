"""GitHub stops a release at the gates of gates.yaml, whole and unweakened, and Harness stops it at the same ones.

Workflows are compared by value: a gate that ends in `|| true`, or has another condition, still says the right words.
"""

import copy
import difflib
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TABLE = yaml.safe_load((Path(__file__).parent / "gates.yaml").read_text())
OF_WORKFLOW = {True, "env", "defaults"}  # YAML reads `on` as True
NOT_OF_A_GATE = {"steps", "runs-on", "container", "timeout-minutes", "permissions", "outputs"}
IF_MEANT = "If that is meant, write it in tests/github/gates.yaml too."
FORGIVING = {
    r"\|\|(?!\s*\{[^}]*exit 1; \})": "`||`: what fails before it stops nothing (`|| { ...; exit 1; }` is allowed)",
    r"[;\n]\s*(?:true|:)\s*$": "an ending that always succeeds",
    r"\bset \+": "`set +`: a command that fails stops nothing",
    r"\bexit 0\b": "`exit 0`: what comes after it does not run",
    r"\bmake -": "a flag of make: `-n`, `-i` and `-k` go on where make would stop",
    r"MAKEFLAGS": "MAKEFLAGS: every target can become a dry run",
}
"""Patterns that no script may have, with what they do."""


def here() -> dict[str, Any]:
    """Every workflow by its name, and every action of this repository as actions/NAME; the caller may change them."""
    return copy.deepcopy(_read())


@functools.cache
def _read() -> dict[str, Any]:
    github = ROOT / ".github"
    read = {path.stem: yaml.safe_load(path.read_text()) for path in (github / "workflows").glob("*.yaml")}
    actions = (github / "actions").glob("*/action.yaml")
    return read | {f"actions/{path.parent.name}": yaml.safe_load(path.read_text()) for path in actions}


def jobs(files: dict[str, Any]) -> dict[str, Any]:
    """Every job as WORKFLOW/JOB, and what every action runs as actions/NAME."""
    found: dict[str, Any] = {}
    for name, loaded in files.items():
        parts = {name: loaded["runs"]} if "runs" in loaded else loaded["jobs"]
        found |= {each if "runs" in loaded else f"{name}/{each}": job for each, job in parts.items()}
    return found


def problems(files: dict[str, Any]) -> list[str]:
    """What stops less than gates.yaml says, and jobs that it does not know; empty if nothing does."""
    found = []
    for name, written in TABLE["workflows"].items():
        is_there = {key: value for key, value in files[name].items() if key in OF_WORKFLOW}
        if is_there != written:
            found.append(changed(f"{name}, when it starts and with what variables", written, is_there))
    there = jobs(files)
    known = {*TABLE["jobs"], *TABLE["others"]}
    found += [f"{name}: not in tests/github/gates.yaml" for name in there if _has_gates(name) and name not in known]
    for name, gates in TABLE["jobs"].items():
        found += problems_of_job(name, gates, there[name]) if name in there else [f"{name}: gone. {IF_MEANT}"]
    return found + [problem for name, job in there.items() for problem in forgiving(name, job)]


def _has_gates(name: str) -> bool:
    return not name.startswith("actions/") or name in TABLE["jobs"]


def problems_of_job(name: str, gates: dict[str, Any], job: dict[str, Any]) -> list[str]:
    """What a job's conditions and steps lack, by gate. Other steps may stand between the gates."""
    found = []
    conditions = {key: value for key, value in job.items() if key not in NOT_OF_A_GATE}
    if conditions != gates["job"]:
        found.append(changed(f"{name}, gate '{gates['gate']}'", gates["job"], conditions))
    rest = [comparable(step) for step in job.get("steps", ())]
    for each in gates.get("steps", ()):
        written = comparable(each["step"])
        if written in rest:
            rest = rest[rest.index(written) + 1 :]
        else:
            found.append(changed(f"{name}, gate '{each['gate']}'", written, nearest(written, rest)))
    return found


def comparable(step: dict[str, Any]) -> dict[str, Any]:
    """A step without what changes nothing: its name, the commit of its action, the end of its last line."""
    same = {key: value for key, value in step.items() if key != "name"}
    if "uses" in same:
        same["uses"] = same["uses"].partition("@")[0]
    return same | {key: same[key].strip() for key in ("run",) if key in same}


def nearest(written: dict[str, Any], steps: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The step that is most like the written one, for the message."""
    texts = {str(step): step for step in steps}
    found = difflib.get_close_matches(str(written), texts, n=1)
    return texts[found[0]] if found else None


def changed(what: str, written: object, is_there: object) -> str:
    return f"{what} has changed.\n  Written down: {written}\n  In .github:   {is_there or 'nothing'}\n  {IF_MEANT}"


def forgiving(name: str, job: dict[str, Any]) -> list[str]:
    """What lets a job, gate or not, go on after a failure."""
    found = [f"{name}: `continue-on-error`: its failure stops nothing"] if "continue-on-error" in job else []
    for step in job.get("steps", ()):
        if "continue-on-error" in step:
            what = step.get("run", step.get("uses"))
            found.append(f"{name}: `continue-on-error`: the failure of {what} stops nothing")
        text = step.get("run", "") + "".join(f"\n{key}=" for key in step.get("env", ()))
        found += [f"{name}: {text.strip()}: {why}" for pattern, why in FORGIVING.items() if re.search(pattern, text)]
    return found


def test_every_gate_is_whole() -> None:
    found = problems(here())
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("file", "there", "planted", "gates"),
    [
        ("deploy", "STEP=compare\n", "STEP=compare || true\n", ["a canary is compared", "after the switch"]),
        ("deploy", "inputs.strategy == 'canary'", "inputs.strategy == 'canaries'", ["a canary is compared"]),
        ("deploy", "needs.beside.result == 'success'", "true", ["nothing takes over that was not tried"]),
        ("deploy", "    needs: beside", "    needs: []", ["nothing takes over that was not tried"]),
        ("deploy", "  STRATEGY:", "  MAKEFLAGS: -n\n  STRATEGY:", ["with what variables"]),
        ("actions/release", 'identity "$signer"', 'identity-regexp ".*"', ["cosign accepts one identity"]),
        ("release", "needs: test", "needs: []", ["nothing is published before it is tested"]),
        ("release", "cosign sign --yes", "echo", ["signed by digest"]),
        ("security", "run: make audit", "run: make audit ARGS=--help", ["the audit finds nothing"]),
        ("security", "run: make audit", "run: make -n audit", ["the audit finds nothing", "a flag of make"]),
        ("ci", "  pull_request:", "  workflow_dispatch:", ["when it starts"]),
        ("terraform", "needs: check", "needs: []", ["people of ENVIRONMENT-infrastructure"]),
        ("terraform", "{0}-infrastructure", "{0}", ["people of ENVIRONMENT-infrastructure"]),
    ],
)  # fmt: skip
def test_a_weakened_gate_is_named(file: str, there: str, planted: str, gates: list[str]) -> None:
    folder = ROOT / ".github" / ("" if "/" in file else "workflows")
    path = folder / file / "action.yaml" if "/" in file else folder / f"{file}.yaml"
    text = path.read_text()
    assert there in text
    found = "\n".join(problems(here() | {file: yaml.safe_load(text.replace(there, planted))}))
    assert [gate for gate in gates if gate not in found] == []


@pytest.mark.parametrize("name", TABLE["jobs"])
def test_every_step_and_every_job_of_the_table_is_held(name: str) -> None:
    """Each gate in turn is left out, is not heeded, or never comes to run."""
    gates = TABLE["jobs"][name]
    for weakness in ({"continue-on-error": True}, {"if": "false"}):
        files = here()
        jobs(files)[name].update(weakness)
        assert any(gates["gate"] in problem for problem in problems(files))
        for each in gates.get("steps", ()):
            files = here()
            step_of(jobs(files)[name], each).update(weakness)
            assert any(each["gate"] in problem for problem in problems(files))
    for each in gates.get("steps", ()):
        files = here()
        steps = jobs(files)[name]["steps"]
        steps.remove(step_of(jobs(files)[name], each))
        assert any(each["gate"] in problem for problem in problems(files))


def step_of(job: dict[str, Any], gate: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(step for step in job["steps"] if comparable(step) == comparable(gate["step"]))
    return found


@pytest.mark.parametrize(
    "script",
    ["make a || true", "make a ||:", "make a; true", "make a\n:", "set +e\nmake a", "exit 0\nmake a", "make -k a",
     "echo MAKEFLAGS=-n >> $GITHUB_ENV", "test -f a || { echo gone; }"],
)  # fmt: skip
def test_a_script_that_goes_on_after_a_failure_is_refused_everywhere(script: str) -> None:
    assert forgiving("e2e/demo", {"steps": [{"run": script}]})
    assert forgiving("e2e/demo", {"steps": [{"uses": "./a"}, {"run": "make a"}]}) == []
    assert forgiving("e2e/demo", {"steps": [{"run": "test -f a || { echo gone; exit 1; }"}]}) == []


def test_a_new_job_is_a_gate_or_is_said_to_be_none() -> None:
    files = here()
    files["ci"]["jobs"]["other"] = {"steps": [{"run": "make a"}]}
    assert problems(files) == ["ci/other: not in tests/github/gates.yaml"]


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


def test_harness_and_github_have_the_same_gates() -> None:
    gates = [each for job in TABLE["jobs"].values() for each in (job, *job.get("steps", ()))]
    assert {name for gate in gates for name in gate.get("harness", ())} == of_harness()
