"""A setting that opens a gate and that no rule knows is named as changed, until `hold` writes that it is meant."""

from pathlib import Path

import pytest

from scripts.harness import held
from scripts.harness.check import check, hold
from tests.harness.conftest import REPOSITORY, Break

MAKE = "      shell: Bash\n      command: <+input>\n"


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        pytest.param(
            "templates/canary.yaml",
            "deploymentTag: <+pipeline.variables.image_tag>\n",
            "deploymentTag: <+pipeline.variables.image_tag>\n              failureStrategies:\n"
            "                - onFailure:\n                    errors: [AllErrors]\n"
            "                    action:\n                      type: Abort\n",
            'steps.compare.step.failureStrategies.0.onFailure.action.type: changed: "Abort" is new',
            id="a step that does not roll back",
        ),
        pytest.param(
            "templates/make.yaml",
            MAKE,
            MAKE + '      envVariables:\n        MAKEFLAGS: "-n"\n',
            'steps.make_test.step.spec.envVariables.MAKEFLAGS: changed: "-n" is new',
            id="make that runs nothing",
        ),
        pytest.param(
            "templates/make.yaml",
            MAKE,
            MAKE + "      envVariables:\n        ARGS: --collect-only\n",
            'steps.make_eval.step.spec.envVariables.ARGS: changed: "--collect-only" is new',
            id="tests that are counted and not run",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "name: <+pipeline.variables.image_registry>/<+matrix.image>\n",
            "name: <+pipeline.variables.image_registry>/runtime\n",
            "steps.trivy.step.spec.image.name: changed: was ",
            id="one image scanned five times",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "cloneCodebase: true",
            "cloneCodebase: false",
            "stages.test.stage.spec.cloneCodebase: changed: was true and is false",
            id="tests without the sources",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "public_key: cosign_public_key",
            "public_key: cosign_private_key",
            'public_key: changed: was "cosign_public_key" and is "cosign_private_key"',
            id="another key",
        ),
        pytest.param(
            "templates/canary.yaml",
            "count: 1\n",
            "count: 99\n",
            "instanceSelection.spec.count: changed: was 1 and is 99",
            id="a canary that is the release",
        ),
        pytest.param(
            "triggers/pull-request.yaml",
            "actions: [Open, Reopen, Synchronize]",
            "actions: [Close]",
            'actions.0: changed: was "Open" and is "Close"',
            id="pull requests that are tested when closed",
        ),
        pytest.param(
            "environments/prod.yaml",
            "type: Production",
            "type: PreProduction",
            'environment.type: changed: was "Production" and is "PreProduction"',
            id="production that is none",
        ),
        pytest.param(
            "agents/handbook.yaml",
            "harness.io/steadyStateCondition",
            "harness.io/steadystateCondition",
            "VectorIndex.metadata.annotations.harness.io/steadyStateCondition: changed: was ",
            id="an annotation that Harness does not read",
        ),
        pytest.param(
            "services/gateway.yaml",
            "identifier: gateway\n",
            "identifier: gateway\n  description: Door of all agents.\n",
            'service.description: changed: "Door of all agents." is new',
            id="a key that was not there",
        ),
    ],
)
def test_refused(after: Break, file: str, old: str, new: str, message: str) -> None:
    problems = [str(problem) for problem in after(file, old, new)]
    assert any(message in problem and held.MEANT in problem for problem in problems), problems


def test_a_change_in_a_template_is_named_in_each_stage_with_the_templates_file(after: Break) -> None:
    problems = [str(problem) for problem in after("templates/rolling.yaml", "timeout: 15m", "timeout: 1s")]
    assert len(problems) == 6
    assert all(problem.endswith("(from .harness/templates/rolling.yaml)") for problem in problems)


@pytest.mark.parametrize("name", ["prod.yaml", "staging.yaml", "prod-gateway.yaml"])
def test_a_file_that_nothing_refers_to_is_missed(copy: Path, name: str) -> None:
    (copy / "overrides" / name).unlink()
    problems = [str(problem) for problem in check(copy, None)]
    assert any(f".harness/overrides/{name}: overrides.identifier: changed: was " in problem for problem in problems)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("- name: operator_replicas", "- name: gateway_replicas", id="twice"),
        pytest.param(
            '- name: operator_replicas\n        type: String\n        value: "2"\n'
            '      - name: gateway_replicas\n        type: String\n        value: "2"',
            '- name: gateway_replicas\n        type: String\n        value: "2"\n'
            '      - name: operator_replicas\n        type: String\n        value: "2"',
            id="another order",
        ),
    ],
)
def test_order_and_number_are_held(after: Break, old: str, new: str) -> None:
    assert any(": changed: " in str(problem) for problem in after("overrides/staging.yaml", old, new))


def test_what_is_meant_is_written_and_then_held(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "FILE", tmp_path / "held.txt")
    file = copy / "templates" / "canary.yaml"
    text = file.read_text()
    file.write_text(text.replace("count: 1\n", "count: 2\n"))
    assert hold(copy, None) == []
    assert check(copy, None) == []
    changed = set((tmp_path / "held.txt").read_text().splitlines()) ^ set(
        (REPOSITORY / "scripts" / "harness" / "held.txt").read_text().splitlines()
    )
    assert sorted(line[line.index("count") :] for line in changed) == ["count = 1", "count = 2"]


def test_an_annotation_that_is_a_date_is_compared_too(after: Break) -> None:
    found = after("agents/handbook.yaml", "  annotations:\n", "  annotations:\n    2026: 2026-11-23\n")
    assert ['annotations.2026: changed: "2026-11-23" is new' in str(problem) for problem in found] == [True]


def test_what_is_wrong_is_not_held(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "FILE", tmp_path / "held.txt")
    (copy / "templates" / "ask.yaml").unlink()
    assert any("no template 'ask'" in str(problem) for problem in hold(copy, None))
    assert not held.FILE.exists()


def test_a_line_that_cannot_be_read_is_named() -> None:
    (problem,) = held.problems([], 'pipelines/slipway.yaml: pipeline.name = "slipway"\n<<<<<<< HEAD\n')
    assert "line 2" in str(problem)
    assert "scripts.harness hold" in str(problem)
