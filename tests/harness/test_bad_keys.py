"""A misspelt key, type or value in a pipeline is refused, though Harness would ignore it and open a gate."""

import copy as copies
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.harness.check import check
from scripts.harness.folder import Json, read
from scripts.harness.keys import Shape, differences
from scripts.harness.known import PIPELINE, STAGE
from scripts.harness.templates import expand
from tests.harness.conftest import REPOSITORY, Break

NAMES_OF_OUR_OWN = ("envVariables", "matrix")


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        pytest.param(
            "pipelines/slipway.yaml",
            "          condition: <+",
            "          conditon: <+",
            "when.conditon: unknown key 'conditon'; misspelt? did you mean 'condition'?",
            id="misspelt condition of a stage",
        ),
        pytest.param(
            "templates/canary.yaml",
            "      condition: <+",
            "      conditon: <+",
            "when.conditon: unknown key 'conditon'",
            id="misspelt condition in a template",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            'release> == "yes"',
            'release> = "yes"',
            "when.condition: '<+pipeline.variables.release> = \"yes\"' is not of the form",
            id="condition that compares nothing",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "fail_on_severity: high",
            "fail_on_severty: high",
            "unknown key 'fail_on_severty'; misspelt? did you mean 'fail_on_severity'?",
            id="misspelt threshold",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "fail_on_severity: high",
            "fail_on_severity: none",
            "none is not known here; write one of high, medium, low",
            id="threshold that lets all pass",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "fail_on_severity: high",
            "fail_on_severity: critical",
            "critical is not known here; write one of high, medium, low",
            id="threshold that lets more pass",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "level: info",
            "levle: info",
            "advanced.log.levle: unknown key 'levle'",
            id="misspelt log level",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "log:",
            "log_:",
            "advanced.log_: unknown key 'log_'; misspelt? did you mean 'log'?",
            id="misspelt log",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "detection: auto",
            "detecton: auto",
            "target.detecton: unknown key",
            id="misspelt detection",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "enabled: true",
            "enable: true",
            "caching.enable: unknown key",
            id="misspelt caching",
        ),
        pytest.param(
            "pipelines/slipway.yaml", "os: Linux", "so: Linux", "platform.so: unknown key", id="misspelt platform"
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "connector: slipway_registry",
            "conector: slipway_registry",
            "source.spec.conector: unknown key",
            id="misspelt connector",
        ),
        pytest.param(
            "pipelines/slipway.yaml",
            "strategy:",
            "stratgy:",
            "stratgy: unknown key 'stratgy'; misspelt? did you mean 'strategy'?",
            id="misspelt strategy",
        ),
        pytest.param(
            "templates/canary.yaml",
            "deployToAll",
            "deployToAl",
            "environment.deployToAl: unknown key",
            id="misspelt deployToAll",
        ),
        pytest.param(
            "templates/terraform.yaml",
            "autoApprove: false",
            "autoAprove: false",
            "spec.autoAprove: unknown key 'autoAprove'; misspelt? did you mean 'autoApprove'?",
            id="misspelt approval",
        ),
        pytest.param(
            "templates/terraform.yaml",
            "autoApprove: false",
            "autoApprove: true",
            "spec.autoApprove: true is not known here; write one of false",
            id="approval by nobody",
        ),
        pytest.param(
            "templates/approve.yaml",
            "userGroups: [slipway_releasers]",
            "userGroups: []",
            "approvers.userGroups: [] is no list with something in it",
            id="approval by an empty group",
        ),
        pytest.param(
            "templates/canary.yaml",
            "type: StageRollback",
            "type: StageRolback",
            "no failure action of the type 'StageRolback'; misspelt? did you mean 'StageRollback'?",
            id="misspelt failure action",
        ),
        pytest.param(
            "templates/canary.yaml",
            "type: StageRollback",
            "type: Ignore",
            "no failure action of the type 'Ignore'",
            id="failure that is ignored",
        ),
        pytest.param(
            "templates/canary.yaml",
            "errors: [Verification]",
            "errors: [Verificaton]",
            "Verificaton is not known here; write one of AllErrors, ",
            id="misspelt sort of error",
        ),
        pytest.param(
            "templates/make.yaml",
            "retryCount: 1",
            "retryCout: 1",
            "spec.retryCout: unknown key",
            id="misspelt retryCount",
        ),
        pytest.param(
            "templates/make.yaml",
            "onRetryFailure:",
            "onRetryFailur:",
            "spec.onRetryFailur: unknown key",
            id="misspelt onRetryFailure",
        ),
        pytest.param(
            "templates/terraform.yaml", "onTimeout:", "onTimeot:", "spec.onTimeot: unknown key", id="misspelt onTimeout"
        ),
        pytest.param(
            "templates/canary.yaml",
            "sensitivity: HIGH",
            "sensitivity: HIHG",
            "spec.sensitivity: HIHG is not known here; write one of HIGH, MEDIUM, LOW",
            id="misspelt sensitivity",
        ),
        pytest.param(
            "templates/canary.yaml",
            "type: K8sCanaryDeploy",
            "type: K8sCanaryDeply",
            "no step of the type 'K8sCanaryDeply'; misspelt? did you mean 'K8sCanaryDeploy'?",
            id="misspelt step type without Harness's schema",
        ),
        pytest.param(
            "templates/terraform.yaml",
            "type: IACM\n",
            "type: IAMC\n",
            "no stage of the type 'IAMC'; misspelt? did you mean 'IACM'?",
            id="misspelt stage type without Harness's schema",
        ),
        pytest.param(
            "templates/canary.yaml",
            "timeout: 1h",
            "timeot: 1h",
            "timeot: unknown key 'timeot'; misspelt? did you mean 'timeout'?",
            id="misspelt key beside a step's spec",
        ),
        pytest.param(
            "pipelines/gitops-pr.yaml",
            "    - stage:\n",
            "    - stge:\n",
            "unknown key 'stge'; misspelt? did you mean 'stage'?",
            id="misspelt stage",
        ),
        pytest.param(
            "pipelines/gitops-pr.yaml",
            "          templateInputs:",
            "          templateInput:",
            "template.templateInput: unknown key",
            id="misspelt templateInputs",
        ),
    ],
)
def test_refused_without_harness_schema(after: Break, file: str, old: str, new: str, message: str) -> None:
    problems = [str(problem) for problem in after(file, old, new)]
    assert any(message in problem for problem in problems), problems


def test_a_template_that_nothing_uses_is_refused(copy: Path) -> None:
    text = (copy / "templates" / "make.yaml").read_text()
    (copy / "templates" / "made.yaml").write_text(text.replace("identifier: make\n", "identifier: made\n"))
    assert any("templates/made.yaml: template: no pipeline uses it" in str(problem) for problem in check(copy, None))


def test_each_key_of_our_pipelines_is_refused_when_it_is_misspelt() -> None:
    folder = read(REPOSITORY / ".harness")
    for pipeline in folder.of("pipeline"):
        tree = expand(folder, pipeline).tree
        parts: list[tuple[Json, Shape]] = [({**tree, "stages": tree["stages"][:1]}, PIPELINE)]
        parts += [(entry["stage"], STAGE) for entry in tree["stages"][1:]]
        for part, shape in parts:
            passed = [key for key, misspelt in _misspelt(part) if not list(differences(misspelt, shape, ()))]
            assert passed == []


def _misspelt(tree: Json) -> Iterator[tuple[str, Json]]:
    """A copy of the tree for each key in it, with one letter put behind that key."""
    tree = copies.deepcopy(tree)
    for mapping in list(_mappings(tree)):
        for key in list(mapping):
            mapping[f"{key}x"] = mapping.pop(key)
            yield key, tree
            mapping[key] = mapping.pop(f"{key}x")


def _mappings(node: Json) -> Iterator[dict[str, Json]]:
    if isinstance(node, dict):
        yield node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, part in children:
        if key not in NAMES_OF_OUR_OWN:
            yield from _mappings(part)
