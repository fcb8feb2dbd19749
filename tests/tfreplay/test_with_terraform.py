"""Real terraform against a replayed schema: what it refuses, what it plans, what it tests."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tfreplay.replay import data_folder, replaying
from tfreplay.terraform import executable

pytestmark = pytest.mark.terraform

HEAD = """
terraform {
  required_providers {
    random = { source = "hashicorp/random" }
  }
}
variable "length" {
  type    = number
  default = 4
  validation {
    condition     = var.length < 10
    error_message = "Write a length below 10."
  }
}
"""
GOOD = 'resource "random_pet" "this" { length = var.length }\noutput "id" { value = random_pet.this.id }\n'
TEST = """
mock_provider "random" {}
run "good" {
  command = plan
  assert {
    condition     = random_pet.this.length == %s
    error_message = "The length is not passed on."
  }
}
run "too_long" {
  command = plan
  variables { length = 10 }
  expect_failures = [var.length]
}
"""


class Root:
    """A folder with a configuration."""

    def __init__(self, path: Path, environment: dict[str, str]) -> None:
        self.path = path
        self.environment = {**environment, "TF_DATA_DIR": str(path / ".data")}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [executable(), f"-chdir={self.path}", *arguments, "-no-color"]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)

    def having(self, resources: str) -> "Root":
        (self.path / "main.tf").write_text(HEAD + resources)
        assert self.run("init", "-backend=false").returncode == 0
        return self


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "main.tf").write_text(HEAD + GOOD)
    with replaying([folder]) as environment:
        yield environment


@pytest.fixture
def root(tmp_path: Path, environment: dict[str, str]) -> Root:
    return Root(tmp_path, environment)


def test_a_good_configuration_is_valid(root: Root) -> None:
    assert root.having(GOOD).run("validate").returncode == 0


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ('resource "random_pet" "this" { lenght = 3 }', 'Did you mean "length"?'),
        ('resource "random_pet" "this" { length = "three" }', "a number is required"),
        ('resource "random_integer" "this" { min = 1 }', "does not support resource type"),
        ('resource "random_pet" "this" { id = "mine" }', 'Can\'t configure a value for "id"'),
        ('resource "random_pet" "this" {\n network {}\n}', 'Blocks of type "network" are not expected here'),
    ],
)
def test_a_bad_configuration_is_refused(root: Root, resources: str, message: str) -> None:
    done = root.having(resources).run("validate")
    assert done.returncode == 1
    assert message in " ".join(done.stderr.split())


def test_a_plan_leaves_open_what_only_the_cloud_knows(root: Root) -> None:
    root.having(GOOD)
    assert root.run("plan", "-out=plan").returncode == 0
    shown = json.loads(root.run("show", "-json", "plan").stdout)
    (change,) = shown["resource_changes"]
    assert change["change"]["after"]["length"] == 4
    assert change["change"]["after_unknown"]["id"] is True


def test_apply_and_destroy_end_well(root: Root) -> None:
    """What a test with `command = apply` needs from a provider, though nothing exists afterwards."""
    root.having(GOOD)
    assert root.run("apply", "-auto-approve").returncode == 0
    assert root.run("plan", "-detailed-exitcode").returncode == 0
    assert root.run("destroy", "-auto-approve").returncode == 0


@pytest.mark.parametrize(("length", "summary", "status"), [(4, "2 passed, 0 failed", 0), (5, "1 passed, 1 failed", 1)])
def test_terraform_test_with_a_mocked_provider(root: Root, length: int, summary: str, status: int) -> None:
    (root.path / "main.tftest.hcl").write_text(TEST % length)
    done = root.having(GOOD).run("test")
    assert summary in done.stdout
    assert done.returncode == status


def test_what_init_makes_is_kept_out_of_the_tree(tmp_path: Path) -> None:
    assert not data_folder(tmp_path).is_relative_to(tmp_path)
    assert data_folder(tmp_path) != data_folder(tmp_path / "other")
