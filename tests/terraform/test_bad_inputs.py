"""What terraform says to the mistakes that people make, on the modules and stacks as they are shipped."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.terraform.conftest import TERRAFORM, Folder
from tests.terraform.test_layout import STACKS
from tfreplay.docs import variables

pytestmark = pytest.mark.terraform


@pytest.mark.parametrize("name", STACKS)
def test_a_variable_without_a_value_is_named(stack: Callable[[str], Folder], name: str) -> None:
    done = stack(name).run("plan", "-input=false")
    missing = [each.name for each in variables(TERRAFORM / "stacks" / name) if each.default is None]
    assert done.returncode == 1
    assert missing
    for variable in missing:
        assert f'The root module input variable "{variable}" is not set' in " ".join(done.stderr.split())


@pytest.mark.parametrize("name", STACKS)
def test_a_region_that_no_cloud_has_is_refused(stack: Callable[[str], Folder], tmp_path: Path, name: str) -> None:
    text = (TERRAFORM / "envs" / "dev" / f"{name}.tfvars").read_text()
    wrong, count = re.subn(r'(\b(?:region|location)\s*=\s*)"[^"]*"', r'\1"mars-north1"', text)
    assert count
    (tmp_path / "wrong.tfvars").write_text(wrong)
    done = stack(name).run("plan", f"-var-file={tmp_path / 'wrong.tfvars'}", "-input=false", "-lock=false")
    assert done.returncode == 1
    assert "Invalid value for" in done.stderr
