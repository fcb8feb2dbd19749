"""The operator's process: what it says, and with which code it ends, when it was given something useless."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.operator_api import FakeApi, fake_api
from tests.support.operator_process import START, free_port, installation_secrets

IMAGES = {"SLIPWAY_OPERATOR_RUNTIME_IMAGE": "runtime:1", "SLIPWAY_OPERATOR_CHROMA_IMAGE": "chroma:1"}


def started(**env: str) -> subprocess.CompletedProcess[str]:
    """The operator, run to its end."""
    command = [sys.executable, "-c", START]
    return subprocess.run(
        command, env={"PATH": os.environ["PATH"], **env}, capture_output=True, text=True, check=False, timeout=60
    )


def test_a_dsn_that_is_refused_is_one_line_with_advice(tmp_path: Path) -> None:
    file = tmp_path / "dsn"
    file.write_text("postgresql://admin:s3cret@db.example/slipway?application_name=x")
    done = started(**IMAGES, SLIPWAY_OPERATOR_ADMIN_DSN_FILE=str(file))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["level"] == "error"
    assert "remove application_name" in json.loads(line)["message"]
    assert "s3cret" not in line


def test_variables_that_are_missing_or_wrong_are_named() -> None:
    done = started(SLIPWAY_OPERATOR_CHROMA_IMAGE="chroma:1", SLIPWAY_OPERATOR_WORKERS="many")
    assert done.returncode == 1
    assert "SLIPWAY_OPERATOR_RUNTIME_IMAGE: Field required" in done.stderr
    assert "SLIPWAY_OPERATOR_WORKERS: Input should be a valid integer" in done.stderr
    assert "Traceback" not in done.stderr


async def test_kinds_that_are_not_installed_are_one_line_with_advice(tmp_path: Path) -> None:
    dsn = tmp_path / "dsn"
    dsn.write_text("postgresql://admin:s3cret@db.example/slipway")
    async with fake_api() as (api, _):
        api.unknown.add("agents")
        env = {**installation_secrets(tmp_path), "SLIPWAY_OPERATOR_ADMIN_DSN_FILE": str(dsn)}
        done = await asyncio.to_thread(started, **IMAGES, **env, **connected(api, tmp_path))
    assert done.returncode == 1
    last = json.loads(done.stderr.splitlines()[-1])
    assert last["level"] == "error"
    assert "crds.enabled" in last["message"]
    assert "Traceback" not in done.stderr


async def test_it_starts_without_a_secret_and_makes_them(tmp_path: Path) -> None:
    """As the first pod of an installation with the bundled store does."""
    volumes = {
        "SLIPWAY_OPERATOR_BUNDLED_STORE_HOST": "slipway-postgres.slipway-system.svc",
        "SLIPWAY_OPERATOR_ADMIN_DSN_FILE": str(tmp_path / "admin" / "dsn"),
        "SLIPWAY_OPERATOR_ROOT_DIR": str(tmp_path / "root"),
        "SLIPWAY_OPERATOR_IDENTITY_DIR": str(tmp_path / "identity"),
    }
    async with fake_api() as (api, _):
        api.unknown.add("agents")  # so that it ends
        done = await asyncio.to_thread(started, **IMAGES, **volumes, **connected(api, tmp_path))
        made = [path.rpartition("/")[2] for path in api.objects if "/secrets/" in path]
    assert "crds.enabled" in done.stderr
    assert made == ["slipway-postgres", "slipway-root"]


def connected(api: FakeApi, folder: Path) -> dict[str, str]:
    """Environment of an operator of this API server."""
    config = folder / "config.json"
    cluster = {"name": "x", "cluster": {"server": api.url}}
    context = {"name": "x", "context": {"cluster": "x", "user": "x"}}
    user = {"name": "x", "user": {}}
    config.write_text(
        json.dumps({"current-context": "x", "clusters": [cluster], "contexts": [context], "users": [user]})
    )
    return {"KUBECONFIG": str(config), "SLIPWAY_OPERATOR_PROBE_PORT": str(free_port())}
