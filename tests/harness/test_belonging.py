"""What belongs to one environment is refused in another, though all of it exists."""

from pathlib import Path

import pytest

from scripts.harness.check import check
from tests.harness.conftest import Break


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        pytest.param(
            "pipelines/slipway.yaml",
            "workspace: slipway_dev",
            "workspace: slipway_prod",
            "spec.workspace: 'slipway_prod' belongs to 'prod' and is used in 'dev'; there: slipway_dev (account.yaml)",
            id="prod's workspace in dev",
        ),
        pytest.param(
            "pipelines/gitops-pr.yaml",
            "- identifier: slipway_dev",
            "- identifier: slipway_prod",
            "gitOpsClusters.0: 'slipway_prod' belongs to 'prod' and is used in 'dev'; there: slipway_dev",
            id="prod's GitOps cluster in dev",
        ),
        pytest.param(
            "infrastructures/dev-platform.yaml",
            "connectorRef: slipway_dev_cluster",
            "connectorRef: slipway_prod_cluster",
            "spec.connectorRef: 'slipway_prod_cluster' belongs to 'prod' and is used in 'dev'; there: slipway_dev_",
            id="prod's cluster in dev",
        ),
        pytest.param(
            "infrastructures/dev-platform.yaml",
            "connectorRef: slipway_dev_cluster",
            "connectorRef: slipway_registry",
            "'slipway_registry' belongs to no environment and is used in 'dev'",
            id="a connector of no environment",
        ),
        pytest.param(
            "environments/dev.yaml",
            "value: slipway_dev_smoke_key",
            "value: slipway_prod_smoke_key",
            "variables.smoke_key.value: 'slipway_prod_smoke_key' belongs to 'prod' and is used in 'dev'",
            id="prod's key in dev",
        ),
        pytest.param(
            "environments/dev.yaml",
            "value: slipway_dev_smoke_key",
            "value: slipway_dev_smoke",
            "variables.smoke_key.value: no secret 'slipway_dev_smoke'; there are: cosign_password",
            id="a secret that is not listed",
        ),
        pytest.param(
            "account.yaml",
            "variables: terraform/envs/dev/gcp.tfvars",
            "variables: terraform/envs/prod/gcp.tfvars",
            "workspaces.slipway_dev.variables: 'terraform/envs/prod/gcp.tfvars' is not in terraform/envs/dev",
            id="prod's variables in dev's workspace",
        ),
        pytest.param(
            "account.yaml",
            "  slipway_dev:\n    environment: dev",
            "  slipway_dev:\n    environment: dve",
            "workspaces.slipway_dev.environment: no environment 'dve'; there are: dev, prod, staging",
            id="an environment that is not there",
        ),
    ],
)
def test_refused(after: Break, file: str, old: str, new: str, message: str) -> None:
    problems = [str(problem) for problem in after(file, old, new)]
    assert any(message in problem for problem in problems), problems


def test_terraform_behind_the_last_deployment_is_refused(copy: Path) -> None:
    file = copy / "pipelines" / "slipway.yaml"
    text = file.read_text()
    file.write_text(text[: text.index("    - stage:\n        name: Control plane prod")])
    message = "spec.workspace: no stage behind this one deploys; put it before those of its environment"
    assert any(message in str(problem) for problem in check(copy, None))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "userGroups:",
            "userGrops:",
            "account.yaml: userGrops: unknown key 'userGrops'; correct it, or add it to scripts",
        ),
        ("    what: Kubernetes, the dev", "    waht: Kubernetes, the dev", "waht: unknown key 'waht'"),
        ("    folder: terraform", "    foldr: terraform", "workspaces.slipway_dev.foldr: unknown key 'foldr'"),
        (
            "    folder: terraform/stacks/gcp\n",
            "",
            "workspaces.slipway_dev.folder: the key 'folder' is missing; add it",
        ),
        ("GitHub, this repository;", "[GitHub]\n  x:", "connectors.slipway_github"),
    ],
)
def test_a_stray_key_of_the_account_is_refused(after: Break, old: str, new: str, message: str) -> None:
    problems = [str(problem) for problem in after("account.yaml", old, new)]
    assert any(message in problem for problem in problems), problems
