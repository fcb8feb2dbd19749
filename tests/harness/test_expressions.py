"""What an expression may name, where, and which methods it may call."""

import pytest

from scripts.harness.expressions import ExpressionScope, scan, unresolved
from scripts.harness.folder import read
from scripts.harness.templates import expand
from scripts.harness.turns import stages, steps
from tests.harness.conftest import REPOSITORY, Break

FOLDER = read(REPOSITORY / ".harness")
PIPELINE = next(expand(FOLDER, entity).tree for entity in FOLDER.of("pipeline") if entity.identifier == "slipway")
GITOPS = next(expand(FOLDER, entity).tree for entity in FOLDER.of("pipeline") if entity.identifier != "slipway")
PUBLISHED = "pipeline.stages.publish.spec.execution.steps.publish_images"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("no expression, 1 > 0", []),
        ("0.1.<+pipeline.sequenceId>", ["pipeline.sequenceId"]),
        ("<+a> == 200 && <+b>", ["a", "b"]),
        ('<+secrets.getValue("key_<+env.name>")>', ["env.name", 'secrets.getValue("key_<+env.name>")']),
        ("<+input>.allowedValues(yes,no)", ["input"]),
    ],
)
def test_expressions(text: str, found: list[str]) -> None:
    assert scan(text) == (found, None)


@pytest.mark.parametrize(
    ("text", "rest"),
    [("1 > 0", None), ("<+a>:<+b>", None), ("<+a.<+b>>", None), ("x:<+a", "a"), ("<+a.<+b>", "a.<+b>")],
)
def test_unclosed(text: str, rest: str | None) -> None:
    assert scan(text)[1] == rest


def scope(stage: str = "", step: str = "", branch: str = "steps", *, gitops: bool = False) -> ExpressionScope:
    """The place of a step, of what a stage has in addition to its steps, or outside of all stages."""
    tree = GITOPS if gitops else PIPELINE
    outer = stages(tree)[stage].node if stage else None
    return ExpressionScope(FOLDER, tree, outer, steps(outer, branch)[step].node if outer is not None and step else None)


@pytest.mark.parametrize(
    ("expression", "place"),
    [
        ("pipeline.sequenceId", scope()),
        ("pipeline.name", scope()),
        ("pipeline.variables.release", scope()),
        ("pipeline.stages.test.status", scope("publish")),
        ("pipeline.stages.test.name", scope("publish", "sign_chart")),
        ("pipeline.stages.test.spec.execution.steps.make_eval.status", scope("publish")),
        ("pipeline.stages.test.spec.execution.steps.make_eval.spec.command", scope("publish")),
        ("pipeline.stages.gateway_dev.spec.execution.steps.ask.output.httpResponseCode", scope("agents_prod")),
        (f"{PUBLISHED}.output.outputVariables.DRONE_COMMIT_SHA", scope("agents_dev")),
        ("execution.steps.publish_images.output.outputVariables.DRONE_COMMIT_SHA", scope("publish", "sign_chart")),
        ("steps.publish_images.retryCount", scope("publish", "publish_chart")),
        ("pipeline.stages.publish.spec.execution.steps.publish_images.status", scope("publish", "publish_chart")),
        ("stage.name", scope("test")),
        ("stage.matrix.image", scope("attest_images", "sbom")),
        ("step.identifier", scope("test", "make_eval")),
        ("codebase.commitSha", scope("test", "make_eval")),
        ("env.identifier", scope("agents_dev")),
        ("execution.steps.one_pod.status", scope("gateway_prod", "roll_back", "rollbackSteps")),
        (
            "execution.steps.open_pull_request.updateReleaseRepoOutcome.commitId",
            scope("promote_dev", "revert", "rollbackSteps", gitops=True),
        ),
        ('secrets.getValue("slipway_dev_smoke_key")', scope("gateway_dev", "ask")),
        ("<+pipeline.variables.release>.toLowerCase()", scope()),
        ("<+pipeline.variables.release>.replace('a', \"<+pipeline.name>\").trim()", scope()),
        ("<+pipeline.variables.image_tag>.split('-')[0]", scope()),
        ('<+stage.name>.substring(<+<+stage.name>.indexOf("e")>)', scope("test")),
    ],
)
def test_what_has_a_value_passes(expression: str, place: ExpressionScope) -> None:
    assert unresolved(expression, place) is None


@pytest.mark.parametrize(
    ("expression", "place", "complaint"),
    [
        ("pipeline.nonsense", scope(), "a pipeline has no 'nonsense'; there are: "),
        ("pipeline.tags", scope(), "names more than one value of a pipeline"),
        ("pipeline.stages.test.nonsense", scope("publish"), "a stage has no 'nonsense'; there are: currentStatus, "),
        ("pipeline.stages.test.status.nonsense", scope("publish"), "a stage has no 'status.nonsense'"),
        ("pipeline.stages.test.spec", scope("publish"), "names more than one value of a stage; go on to one of them"),
        ("pipeline.stages.make_test.status", scope("publish"), "there is no stage 'make_test' in the pipeline"),
        (
            "pipeline.stages.test.spec.execution.steps.make_eval.stauts",
            scope("publish"),
            "a step of the type Run has no 'stauts'; there are: executionUrl, retryCount, status, ",
        ),
        (
            "pipeline.stages.test.spec.execution.steps.make_eval.output.httpResponseCode",
            scope("publish"),
            "a step of the type Run has no 'output.httpResponseCode'",
        ),
        (
            f"{PUBLISHED}.output.outputVariables.COMMIT",
            scope("agents_dev"),
            "no output variable 'COMMIT' in spec.outputVariables of 'publish_images'; there are: DRONE_COMMIT_SHA",
        ),
        (
            "pipeline.stages.test.spec.execution.steps.make_eval.output.outputVariables.score",
            scope("publish"),
            "no output variable 'score' in spec.outputVariables of 'make_eval'; there are: none",
        ),
        (
            "pipeline.stages.gateway_dev.spec.execution.steps.roll_back.status",
            scope("agents_prod"),
            "there is no step 'roll_back' in the stage 'gateway_dev'; there are: ask, roll_out",
        ),
        (
            "pipeline.stages.publish.status",
            scope("scan_sources"),
            "the stage 'publish' has not run by then; name an earlier one: test",
        ),
        ("pipeline.stages.test.status", scope(), "the stage 'test' has not run by then"),
        (
            "pipeline.stages.attest_images.status",
            scope("agents_dev"),
            "runs once for each element of its matrix",
        ),
        (
            "pipeline.stages.publish.spec.execution.steps.sign_chart.status",
            scope("publish", "publish_chart"),
            "the step 'sign_chart' has not run by then; name an earlier one of this stage",
        ),
        ("execution.steps.sign_chart.status", scope("publish", "sign_chart"), "'sign_chart' has not run by then"),
        ("execution.steps.publish_images.status", scope("publish"), "has not run by then; name an earlier one"),
        (
            "execution.steps.semgrep.status",
            scope("scan_sources", "bandit"),
            "the step 'semgrep' has not run by then; name an earlier one of this stage",
        ),
        ("execution.steps.make_test.status", scope("publish", "sign_chart"), "no step 'make_test' in this stage"),
        ("stage.status", scope("test"), "a stage that has not ended has no 'status'"),
        ("stage.name", scope(), "has no 'name'"),
        ("stage.matrix.imgae", scope("attest_images"), "no axis 'imgae' in this stage's strategy.matrix"),
        ("step.name", scope("test"), "this step has no 'name'"),
        ("codebase.commitSha", scope("agents_dev"), "has a value only inside of a stage of the type CI"),
        ("env.name", scope("test"), "has a value only inside of a stage of the type Deployment"),
        ("httpResponseCode", scope("test", "make_eval"), "has a value only inside of a step of the type Http"),
        ("artifacts.primary.tga", scope("agents_dev"), "names nothing in this folder"),
        ("trigger.prNumbr", scope(), "names nothing in this folder"),
        ("serviceVariables.keys", scope("gateway_dev"), "there is no variable 'keys' in the service 'gateway'"),
        ("serviceVariables.keys_secret", scope("agents_dev"), "no variable 'keys_secret' in the service 'agents'"),
        ("pipeline.variables.release.toLowerCase()", scope(), "calls a method on a path"),
    ],
)
def test_what_has_none_is_refused(expression: str, place: ExpressionScope, complaint: str) -> None:
    found = unresolved(expression, place)
    assert found is not None
    assert complaint in found


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "pipelines/slipway.yaml",
            "approvalMessage: Slipway",
            "approvalMessage: <+pipeline.stages.test.nonsense>",
            "approvalMessage: <+pipeline.stages.test.nonsense>: a stage has no 'nonsense'",
        ),
        (
            "services/agents.yaml",
            "outputVariables.DRONE_COMMIT_SHA",
            "outputVariables.COMMIT",
            "services/agents.yaml: service.serviceDefinition.spec.manifests.0.manifest.spec.store.spec.commitId: <+",
        ),
        (
            "infrastructures/dev-agents.yaml",
            "<+INFRA_KEY_SHORT_ID>",
            "<+codebase.shortCommitSha>",
            "spec.releaseName: <+codebase.shortCommitSha>: has a value only inside of a stage of the type CI",
        ),
        (
            "expressions.yaml",
            "      pipeline.sequenceId: Number of the run, counted up.\n",
            "",
            "<+pipeline.sequenceId>: a pipeline has no 'sequenceId'",
        ),
    ],
)
def test_refused_in_our_files(after: Break, file: str, old: str, new: str, message: str) -> None:
    found = [str(problem) for problem in after(file, old, new)]
    assert any(message in problem for problem in found), found


def test_a_method_in_our_files_passes(after: Break) -> None:
    name = "prTitle: Slipway <+pipeline.variables.image_tag> on"
    assert (
        after("templates/promote.yaml", name, name.replace("+pip", "+<+pip").replace("tag>", "tag>.toUpperCase()>"))
        == []
    )


def test_an_infrastructure_that_no_stage_uses_is_refused(after: Break) -> None:
    found = [
        str(problem)
        for problem in after("pipelines/slipway.yaml", "- identifier: prod_agents", "- identifier: prod_platform")
    ]
    message = "infrastructures/prod-agents.yaml: infrastructureDefinition: no stage of a pipeline uses it; use it"
    assert any(message in problem for problem in found), found
