"""What a person writes by mistake is refused, with the place and what to write instead."""

from pathlib import Path

import pytest

from scripts.harness.check import check
from scripts.harness.schema import Schema
from tests.harness.conftest import REPOSITORY, Break


def test_ours_has_no_problems() -> None:
    assert [str(problem) for problem in check(REPOSITORY / ".harness", None)] == []


def test_ours_has_no_problems_against_harness_schema(published: Schema) -> None:
    assert [str(problem) for problem in check(REPOSITORY / ".harness", published)] == []


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        pytest.param(
            "pipelines/slipway.yaml",
            "templateRef: blue_green",
            "templateRef: blue_gren",
            "templateRef: no template 'blue_gren' with the version 'v1'; there are: ",
            id="dangling template",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "<+pipeline.variables.release>",
            '<+pipeline.stages.lint.spec.execution.steps.ruff.status> == "x" && <+pipeline.variables.release>',
            "there is no stage 'lint' in the pipeline; there are: agents_dev",
            id="expression to a removed stage",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "<+pipeline.variables.release>",
            "<+pipeline.stages.test.spec.execution.steps.ruff.status>",
            "there is no step 'ruff' in the stage 'test'; there are: make_audit",
            id="expression to a step that is not there",
        ),
        pytest.param(
            "input-sets/main-branch.yaml",
            'value: "yes"',
            'value: "ja"',
            "'ja' is not allowed; write one of yes, no",
            id="no choice",
        ),
        pytest.param(
            "input-sets/main-branch.yaml",
            "- name: release",
            "- name: relase",
            "pipeline.variables.relase: there is no such place to fill",
            id="misspelt input",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "              workspace: slipway_dev\n",
            "              {}\n",
            "spec.workspace: the template 'terraform' needs a value here",
            id="template input without a value",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "serviceRef: gateway",
            "serviceRef: gatway",
            "serviceRef: no service 'gatway'; there are: agents, control_plane, gateway",
            id="dangling service",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "- identifier: dev_platform",
            "- identifier: prod_platform",
            "no infrastructure 'prod_platform'; there are: dev_agents, dev_platform (the environment 'dev')",
            id="infrastructure of another environment",
        ),
        pytest.param(
            "infrastructures/dev-agents.yaml",
            "connectorRef: slipway_dev_cluster",
            "connectorRef: slipway_cluster",
            "no connector 'slipway_cluster'; there are: slipway_charts",
            id="unlisted connector",
        ),
        pytest.param(
            "templates/publish.yaml",
            'getValue("registry_user")',
            'getValue("registry_usr")',
            "no secret 'registry_usr'; correct it, or list it in account.yaml",
            id="unlisted secret",
        ),
        pytest.param(
            "templates/ask.yaml",
            "<+env.variables.smoke_key>",
            "<+env.variables.key>",
            "there is no variable 'key' in the environment 'dev'; there are: smoke_key",
            id="variable that an environment lacks",
        ),
        pytest.param(
            "templates/promote.yaml",
            "<+pipeline.variables.image_tag> on",
            "<+pipeline.variables.image_tag on",
            "spec.prTitle: <+pipeline.variables.image_tag on <+env.identifier>: has no closing >; add it",
            id="unclosed expression",
        ),
        pytest.param(
            "services/gateway.yaml",
            "DRONE_COMMIT_SHA>",
            "DRONE_COMMIT_SHA",
            "DRONE_COMMIT_SHA: has no closing >",
            id="unclosed expression of a service",
        ),
        pytest.param(
            "values/slipway.yaml",
            "<+serviceVariables.keys_secret>",
            "<+serviceVariables.keys",
            "values/slipway.yaml: <+serviceVariables.keys",
            id="unclosed expression of the values",
        ),
        pytest.param(
            "values/slipway.yaml",
            "<+serviceVariables.keys_secret>",
            "<+serviceVariables.keys>",
            "values/slipway.yaml: <+serviceVariables.keys>: there is no",
            id="values name a variable that is not there",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "command: make eval",
            "command: make evaluate",
            "the Makefile has no target 'evaluate'",
            id="no make target",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "command: make eval",
            "command: python -m slipway_runtime eval",
            "is no make target; put it into the Makefile",
            id="a command of its own",
        ),
        pytest.param(
            "services/gateway.yaml",
            "templates/gateway.yaml",
            "templates/gatway.yaml",
            "the chart has no 'templates/gatway.yaml'",
            id="no such chart template",
        ),
        pytest.param(
            "services/agents.yaml",
            "examples/handbook/documents-1.yaml",
            "examples/handbook/documents.yaml",
            "there is no file 'examples/handbook/documents.yaml'",
            id="no such file",
        ),
        pytest.param(
            "services/gateway.yaml",
            "primaryArtifactRef: runtime",
            "primaryArtifactRef: runtim",
            "spec.primaryArtifactRef: no artifact 'runtim'; there are: runtime (this service)",
            id="no such artifact of the service",
        ),
        pytest.param(
            "services/gateway.yaml",
            "primaryManifestRef: chart",
            "primaryManifestRef: charts",
            "spec.primaryManifestRef: no manifest 'charts'; there are: chart, values (this service)",
            id="no such manifest of the service",
        ),
        pytest.param(
            "templates/canary.yaml",
            "serviceRef: <+input>",
            "serviceRef: <+input>s",
            "spec.service.serviceRef: '<+input>s' is no input; write <+input>, or <+input>.allowedValues(a,b)",
            id="input with something behind it",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "allowedValues(yes,no)",
            "allowedValue(yes,no)",
            "'<+input>.allowedValue(yes,no)' is no input",
            id="misspelt allowedValues",
        ),
        pytest.param(
            "triggers/main.yaml",
            "inputSetRefs: [main_run]",
            "inputSetRefs: [main]",
            "inputSetRefs: no inputSet 'main'; there are: ",
            id="dangling input set",
        ),
        pytest.param(
            "triggers/main.yaml",
            "stagesToExecute: []",
            "stagesToExecute: [gone]",
            "trigger.stagesToExecute: no stage 'gone'; there are: agents_dev, ",
            id="trigger of a removed stage",
        ),
        pytest.param(
            "overrides/prod.yaml",
            "name: operator_replicas",
            "name: replicas",
            "no variable 'replicas'; there are: gateway_grace_seconds",
            id="override of nothing",
        ),
        pytest.param(
            "templates/blue-green.yaml",
            "templateRef: approve",
            "templateRef: blue_green",
            "templateRef: the template 'blue_green' would hold itself, without end; name another",
            id="template in itself",
        ),
        pytest.param(
            "input-sets/main-run.yaml",
            "inputSetReferences: [registry, main_branch]",
            "inputSetReferences: [registry, main_run]",
            "inputSetReferences: no inputSet 'main_run'; there are: gitops_release, infrastructure, main_branch, ",
            id="overlay of an overlay",
        ),
        pytest.param(
            "environments/dev.yaml",
            "  tags: {}\n",
            "  tags: {}\n  tags: {}\n",
            "'tags' is given twice; keep one",
            id="key twice",
        ),
        pytest.param(
            "environments/dev.yaml",
            "identifier: dev\n",
            "identifier: prod\n",
            "is the identifier of ",
            id="identifier twice",
        ),
    ],
)
def test_refused(after: Break, file: str, old: str, new: str, message: str) -> None:
    problems = [str(problem) for problem in after(file, old, new)]
    assert any(message in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        pytest.param(
            "templates/promote.yaml",
            "deleteSourceBranch: true",
            "deleteSourceBranch: true\n                count: true",
            "unknown key `count` at this place; Harness would ignore it (from .harness/templates/promote.yaml)",
            id="key of another step",
        ),
        pytest.param(
            "templates/promote.yaml",
            "prTitle: Slipway",
            "prTitel: Slipway",
            "unknown key 'prTitel'; did you mean 'prTitle'?",
            id="misspelt key of a step",
        ),
        pytest.param(
            "templates/promote.yaml",
            "gitOpsEnabled: true",
            "gitOpsEnabled: true\n      gitopsEnable: true",
            "unknown key 'gitopsEnable'; did you mean 'gitOpsEnabled'?",
            id="misspelt key of a stage",
        ),
        pytest.param(
            "templates/promote.yaml",
            "type: GitOpsSync",
            "type: GitOpsSinc",
            "execution.steps.3.step: against Harness's schema: ",
            id="misspelt step type",
        ),
        pytest.param(
            "pipelines/gitops-pr.yaml",
            "type: Approval",
            "type: Aproval",
            "stages.2.stage: against Harness's schema: ",
            id="misspelt stage type",
        ),
        pytest.param(
            "templates/promote.yaml", "timeout: 10m", "timeout: soon", "against Harness's schema: ", id="wrong value"
        ),
        pytest.param(
            "triggers/nightly.yaml",
            "enabled: true",
            "enabled: perhaps",
            "triggers/nightly.yaml: trigger.enabled: against Harness's schema: ",
            id="wrong value in a trigger",
        ),
    ],
)
def test_refused_with_harness_schema(
    copy: Path, after: Break, published: Schema, file: str, old: str, new: str, message: str
) -> None:
    (copy / "pipelines" / "slipway.yaml").unlink()  # large, and seconds a check
    problems = [str(problem) for problem in after(file, old, new, published)]
    assert any(message in problem for problem in problems), problems


def test_an_alias_is_refused(copy: Path) -> None:
    (copy / "environments" / "dev.yaml").write_text("environment: {name: &n dev, identifier: *n}\n")
    assert any("has a YAML alias" in str(problem) for problem in check(copy, None))


def test_a_file_without_an_entity_is_refused(copy: Path) -> None:
    (copy / "triggers" / "empty.yaml").write_text("pipeline: {}\n")
    assert any("triggers/empty.yaml: write one key at the root: trigger" in str(p) for p in check(copy, None))
