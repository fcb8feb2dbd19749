"""A second terraform is kept out of a state that the first one works on: on disk, and in S3 with `use_lockfile`."""

import asyncio
import hashlib
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.waiting import until
from tests.terraform.conftest import ROOT, Folder

pytestmark = pytest.mark.terraform

LOCAL = 'terraform {\n  backend "local" {}\n}\nresource "terraform_data" "this" {}\n'
S3 = """
terraform {{
  backend "s3" {{
    bucket                      = "states"
    key                         = "slipway.tfstate"
    region                      = "eu-central-1"
    use_lockfile                = true
    endpoints                   = {{ s3 = "{address}" }}
    access_key                  = "none"
    secret_key                  = "none"
    use_path_style              = true
    skip_credentials_validation = true
    skip_requesting_account_id  = true
    skip_metadata_api_check     = true
    skip_s3_checksum            = true
  }}
}}
resource "terraform_data" "this" {{}}
"""


@contextmanager
def asking(folder: Folder) -> Iterator[None]:
    """An apply that waits for its user's `yes`, and so holds the lock."""
    with subprocess.Popen(
        folder.command("apply"), env=folder.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            seen = ""
            while "Enter a value:" not in seen:
                letter = process.stdout.read(1)
                assert letter, f"terraform ended early:\n{seen}"
                seen += letter
            yield
        finally:
            process.communicate("no\n", timeout=60)


def test_a_local_state_is_locked_while_somebody_applies(folder: Callable[[str], Folder]) -> None:
    root = folder(LOCAL)
    root.must("init")
    with asking(root):
        done = root.run("plan")
    assert done.returncode == 1
    assert "Error acquiring the state lock" in done.stderr
    assert "OperationTypeApply" in done.stderr
    root.must("plan")


@pytest.fixture
def s3() -> Iterator[str]:
    """Address of an S3 on the loopback interface with an empty bucket `states`."""
    locked = hashlib.sha256((ROOT / "requirements" / "scanners.txt").read_bytes()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    server = cache / "slipway" / f"scanners-{locked}" / "bin" / "moto_server"
    if not server.is_file():
        pytest.skip("moto's S3 is not installed: run `make scanners`")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [str(server), "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            asyncio.run(until(lambda: _answers(address), "moto's S3 answers", deadline=60))
            httpx.put(f"{address}/states").raise_for_status()
            yield address
        finally:
            process.terminate()


def _answers(address: str) -> bool:
    try:
        return httpx.get(address).status_code < 500
    except httpx.TransportError:
        return False


def test_a_state_in_s3_is_locked_by_a_file(folder: Callable[[str], Folder], s3: str) -> None:
    root = folder(S3.format(address=s3))
    root.must("init")
    with asking(root):
        done = root.run("plan")
    assert done.returncode == 1
    assert "Error acquiring the state lock" in done.stderr
    assert "PreconditionFailed" in done.stderr, "S3 has to refuse the second lock file, nobody else"
    root.must("plan")
