"""What an apply of each environment would install: the plans of every stack with every environment's values."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tests.terraform.conftest import TERRAFORM, Folder
from tests.terraform.test_layout import ENVIRONMENTS, STACKS

pytestmark = pytest.mark.terraform

Change = dict[str, Any]


def planned(changes: list[Change], kind: str, under: str = "") -> Iterator[tuple[str, Change]]:
    """Address and values of each resource of a kind that is to be made below the module `under`."""
    for change in changes:
        if change["type"] == kind and change["address"].startswith(under):
            yield change["address"], change["change"]["after"]


def releases(changes: list[Change]) -> list[tuple[str, str, dict[str, Any]]]:
    """Of each installation of the chart: the module it is made for, its namespace, and its values but the image's."""
    found = []
    for address, after in planned(changes, "helm_release"):
        owner, separator, _ = address.partition("module.slipway[0].")
        if separator:
            found.append((owner, after["namespace"], yaml.safe_load(after["values"][0])))
    return found


def secrets(changes: list[Change], under: str) -> set[tuple[str, str]]:
    """Namespace and name of each Secret with a DSN that is to be made."""
    unknown = {change["address"]: change["change"]["after_unknown"] for change in changes}
    made = planned(changes, "kubernetes_secret_v1", under)
    metadata = [after["metadata"][0] for address, after in made if "dsn" in (unknown[address].get("data") or {})]
    return {(each["namespace"], each["name"]) for each in metadata}


def doors(changes: list[Change], under: str, values: dict[str, Any]) -> set[str]:
    """Hostnames that lead to the gateway from outside, by what each cloud has for it."""
    found: set[str] = set()
    for address, after in planned(changes, "helm_release", under):  # Google: a Gateway, made by a chart of its own
        if ".helm_release.edge" in address:
            found |= set(yaml.safe_load(after["values"][0])["hostnames"])
    for _, after in planned(changes, "kubernetes_ingress_v1", under):  # AWS: an Ingress
        found |= {rule["host"] for rule in after["spec"][0]["rule"]}
    if values["gateway"]["service"]["type"] == "LoadBalancer":  # Azure: Front Door, through the Service's load balancer
        found |= {after["host_name"] for _, after in planned(changes, "azurerm_cdn_frontdoor_custom_domain", under)}
    return found


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("name", STACKS)
def test_an_apply_installs_the_chart_with_its_store_and_its_door(
    stack: Callable[[str], Folder], name: str, environment: str
) -> None:
    file = TERRAFORM / "envs" / environment / f"{name}.tfvars"
    root = stack(name)
    shown = root.must("plan", f"-var-file={file}", "-input=false", "-lock=false", "-out=plan")
    assert ", 0 to change, 0 to destroy." in shown
    changes = json.loads(root.must("show", "-json", "plan"))["resource_changes"]

    installed = releases(changes)
    assert len(installed) == (2 if name == "two-clouds" else 1)
    for owner, namespace, values in installed:
        assert (namespace, values["postgres"]["existingSecret"]) in secrets(changes, owner)
    hostname = re.search(r'^hostname\s*=\s*"([^"]+)"', file.read_text(), re.MULTILINE)
    for owner, _, values in installed:
        found = doors(changes, owner, values)
        assert (hostname[1] in found) if hostname else not found
