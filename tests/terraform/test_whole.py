"""The two checks of the whole tree that are tools of their own: `tfreplay check`, and go vet over Terratest."""

import subprocess
import sys

import pytest

from tests.terraform.conftest import TERRAFORM

pytestmark = pytest.mark.terraform


def test_every_folder_is_formatted_valid_and_passes_its_tests(capfd: pytest.CaptureFixture[str]) -> None:
    with capfd.disabled():  # it takes a minute, and its table says what was checked and what was not
        done = subprocess.run([sys.executable, "-m", "tfreplay", "check", TERRAFORM], stdout=2, check=False)
    assert done.returncode == 0, "tfreplay printed above which folder fails, and why"


def test_terratest_compiles_and_passes_go_vet() -> None:
    done = subprocess.run(
        ["go", "vet", "./..."], cwd=TERRAFORM / "terratest", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
