"""Each gate is deleted from our files in turn, and is missed by its name, with what it stopped."""

import copy as copies
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.harness import gate_check, turns
from scripts.harness.check import check
from scripts.harness.folder import Entity, Folder, Json, read
from scripts.harness.gates import PIPELINES, TRIGGERS, Stage
from scripts.harness.templates import expand
from tests.harness.conftest import REPOSITORY, Break

FOLDER = read(REPOSITORY / ".harness")


def messages(folder: Folder) -> list[str]:
    """What the table of gates finds in the pipelines as they run."""
    runs = [(pipeline.file, expand(folder, pipeline).tree) for pipeline in folder.of("pipeline")]
    return [problem.message for file, tree in runs for problem in gate_check.pipeline_problems(file, tree)]


def without(kind: str, key: str) -> Iterator[tuple[Entity, Folder]]:
    """Our folder without one of the entries that have this key, in each pipeline or template of it in turn."""
    for entity in FOLDER.of(kind):
        for place in range(len(list(_holders(entity.body, key)))):
            body = copies.deepcopy(dict(entity.body))
            holder, name = list(_holders(body, key))[place]
            del holder[name]
            changed = replace(entity, body=body)
            others = (other for other in FOLDER.entities if other is not entity)
            yield entity, replace(FOLDER, entities=(changed, *others))


def _holders(node: Json, key: str) -> Iterator[tuple[Json, Json]]:
    """Whatever holds an entry with this key: for steps and stages the list around it, else the mapping itself."""
    if isinstance(node, dict):
        if key in node and key not in ("step", "stage"):
            yield node, key
        for part in node.values():
            yield from _holders(part, key)
    if isinstance(node, list):
        for place, part in enumerate(node):
            if isinstance(part, dict) and key in part and key in ("step", "stage"):
                yield node, place
            yield from _holders(part, key)


def everything() -> list[Stage]:
    return [stage for stages in PIPELINES.values() for stage in stages]


def test_ours_has_all_gates() -> None:
    assert messages(FOLDER) == []
    assert list(gate_check.folder_problems(FOLDER)) == []


def test_each_step_is_missed_with_what_it_stops() -> None:
    found: set[str] = set()
    for kind in ("pipeline", "template"):
        for entity, folder in without(kind, "step"):
            missed = [message for message in messages(folder) if message.startswith("the step ")]
            assert any("is missing, which stops " in message for message in missed), entity.file
            found.update(missed)
    for stage in everything():
        for step in (*stage.steps, *stage.rollback):
            assert any(f"the step {step.name!r} is missing, which stops {step.stops};" in one for one in found), step


def test_each_stage_is_missed_with_what_it_stops() -> None:
    found = [message for _, folder in without("pipeline", "stage") for message in messages(folder)]
    for stage in everything():
        assert any(f"the stage {stage.identifier!r} is missing, which stops {stage.stops};" in one for one in found)


@pytest.mark.parametrize(
    ("kind", "key", "message"),
    [
        ("pipeline", "when", "runs whatever 'release' says; write when.condition: "),
        ("template", "when", "runs whatever 'release' says; write when.condition: "),
        ("pipeline", "failureStrategies", "says nothing of most failures; write a failure strategy of AllErrors"),
    ],
)
def test_each_condition_and_failure_strategy_is_missed(kind: str, key: str, message: str) -> None:
    tried = list(without(kind, key))
    assert tried
    for entity, folder in tried:
        assert any(message in one for one in messages(folder)), entity.file


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_each_trigger_is_missed(trigger: str) -> None:
    folder = replace(
        FOLDER, entities=tuple(e for e in FOLDER.entities if (e.kind, e.identifier) != ("trigger", trigger))
    )
    found = [problem.message for problem in gate_check.folder_problems(folder)]
    assert any(f"the trigger {trigger!r} is missing, which stops {TRIGGERS[trigger].stops};" in one for one in found)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        pytest.param(
            "pipelines/slipway.yaml",
            "command: make eval",
            "command: make help",
            "pipeline.stages.test: the step 'make eval' is missing, which stops answers below the bars; put it back",
            id="another command",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "command: make eval",
            "command: make eval || true",
            "pipeline.stages.test: the step 'make eval' is missing, which stops answers below the bars; put it back",
            id="a command whose failure is lost",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "tag: <+pipeline.variables.image_tag>",
            "tag: latest",
            "spec.image.tag: latest is not known here; write one of <+pipeline.variables.image_tag>",
            id="a scan of another release",
        ),
        pytest.param(
            "templates/sign.yaml",
            "image: <+input>",
            "image: <+pipeline.variables.image_registry>/runtime:latest",
            "image: '<+pipeline.variables.image_registry>/runtime:latest' is not of the form",
            id="a signature of another release",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "identifier: approve_production",
            "identifier: approved",
            "the stage 'approve_production' is missing, which stops a release to production that nobody agreed to",
            id="a stage under another name",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "identifier: approve_production",
            "identifier: approved",
            "the stage 'approved' is not in the table of gates; add it to scripts/harness/gates.py",
            id="a stage that is not in the table",
        ),
        pytest.param(
            "templates/canary.yaml",
            "type: Canary\n",
            "type: Bluegreen\n",
            "pipeline.stages.gateway_prod: the step 'Verify Canary' is missing, which stops a release with more errors",
            id="another verification",
        ),
        pytest.param(
            "templates/rolling.yaml",
            "type: StageRollback",
            "type: Abort",
            "does Abort when something fails, which lets through what it should stop; do StageRollback",
            id="a failure that does not roll back",
        ),
        pytest.param(
            "templates/rolling.yaml",
            "errors: [AllErrors]",
            "errors: [Connectivity]",
            "says nothing of most failures; write a failure strategy of AllErrors with StageRollback",
            id="a rollback after some failures only",
        ),
        pytest.param(
            "templates/terraform.yaml",
            ' && <+pipeline.variables.change_infrastructure> == "yes"',
            "",
            "pipeline.stages.terraform_dev: runs whatever 'change_infrastructure' says; write when.condition",
            id="half a condition",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "        identifier: test\n",
            "        identifier: test\n        when:\n          pipelineStatus: Success\n"
            '          condition: <+pipeline.variables.release> == "yes"\n',
            'pipeline.stages.test: is skipped unless <+pipeline.variables.release> == "yes", and all that it stops',
            id="tests of releases only",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "public_key: cosign_public_key\n        when:\n          pipelineStatus: Success\n"
            '          condition: <+pipeline.variables.release> == "yes"',
            "public_key: cosign_public_key\n        when:\n          pipelineStatus: Success\n"
            '          condition: <+pipeline.variables.release> == "yes" '
            '&& <+pipeline.variables.change_infrastructure> == "yes"',
            "pipeline.stages.verify_signatures: is skipped unless <+pipeline.variables.change_infrastructure>",
            id="signatures that are verified at times only",
        ),
        pytest.param(
            "templates/rolling.yaml",
            "        rollbackSteps:",
            "          - step:\n              type: K8sRollingDeploy\n              name: Again\n"
            "              identifier: again\n              timeout: 15m\n              spec:\n"
            "                skipDryRun: false\n                pruningEnabled: false\n        rollbackSteps:",
            "the step 'K8sRollingDeploy' is not in the table of gates at this place; remove it, or add it to",
            id="a step that is not in the table",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "serviceRef: agents\n              environment:\n                environmentRef: prod",
            "serviceRef: agents\n              environment:\n                environmentRef: dev",
            "pipeline.stages.agents_prod: deploys to 'dev' and should to 'prod'; correct environmentRef",
            id="another environment",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "  identifier: slipway\n",
            "  identifier: release\n",
            "pipelines: the pipeline 'slipway' is missing with all its gates; put it back",
            id="a pipeline under another name",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "  identifier: slipway\n",
            "  identifier: release\n",
            "pipeline.identifier: its gates are not written down; add them to scripts/harness/gates.py",
            id="a pipeline that is not in the table",
        ),
        pytest.param(
            "input-sets/pull-request.yaml",
            'name: release\n        type: String\n        value: "no"',
            'name: release\n        type: String\n        value: "yes"',
            "triggers/pull-request.yaml: trigger.inputSetRefs: runs with release 'yes' and should with 'no', to stop",
            id="pull requests that publish",
        ),
        pytest.param(
            "triggers/main.yaml",
            "inputSetRefs: [main_run]",
            "inputSetRefs: [nightly_run]",
            "triggers/main.yaml: trigger.inputSetRefs: runs with release 'no' and should with 'yes', to stop a merged",
            id="merged commits that are not released",
        ),
        pytest.param(
            "triggers/nightly.yaml",
            "enabled: true",
            "enabled: false",
            "triggers/nightly.yaml: trigger.enabled: is off, which lets through a vulnerability found since",
            id="a trigger that is off",
        ),
        pytest.param(
            "triggers/pull-request.yaml",
            "type: PullRequest",
            "type: Push",
            "trigger.source: is fired by 'Push' and should be by 'PullRequest', to stop a pull request that",
            id="a trigger of another event",
        ),
        pytest.param(
            "triggers/main.yaml",
            "stagesToExecute: []",
            "stagesToExecute: [gateway_prod]",
            "trigger.stagesToExecute: runs some stages only, and a stage that is left out is a gate that is left out",
            id="a trigger that skips gates",
        ),
        pytest.param(
            "triggers/nightly.yaml",
            "identifier: nightly\n",
            "identifier: monthly\n",
            "the trigger 'monthly' is not in the table of gates; add it to scripts/harness/gates.py",
            id="a trigger that is not in the table",
        ),
        pytest.param(
            "templates/canary.yaml",
            "identifier: the_rest",
            "identifier: compare",
            "the step 'compare' is there twice in this stage; rename one",
            id="a step twice",
        ),
    ],
)
def test_refused(after: Break, file: str, old: str, new: str, message: str) -> None:
    problems = [str(problem) for problem in after(file, old, new)]
    assert any(message in problem for problem in problems), problems


def test_an_approval_behind_what_it_approves_is_refused(copy: Path) -> None:
    file = copy / "pipelines" / "slipway.yaml"
    text = file.read_text()
    start, end = text.index("    - stage:\n        name: Approve production"), text.index("    # prod: one gateway")
    file.write_text(text[:start] + text[end:] + text[start:end])
    message = "the stage 'terraform_prod' has its turn too early, so that it does not stop a release that needs changed"
    problems = [str(problem) for problem in check(copy, None)]
    assert any(message in problem for problem in problems), problems


def test_an_approval_beside_what_it_approves_is_refused() -> None:
    pipeline = next(entity for entity in FOLDER.of("pipeline") if entity.identifier == "slipway")
    tree = copies.deepcopy(expand(FOLDER, pipeline).tree)
    steps = turns.stages(tree)["gateway_staging"].node["spec"]["execution"]["steps"]
    place = next(place for place, entry in enumerate(steps) if entry["step"]["type"] == "HarnessApproval")
    steps[place : place + 2] = [{"parallel": steps[place : place + 2]}]
    found = [problem.message for problem in gate_check.pipeline_problems("slipway.yaml", tree)]
    assert any("the step 'K8sBGSwapServices' is missing, which stops a stage" in message for message in found), found
