"""`slipway host` as a process of its own: with a scripted agent that needs no documents, or with real ones."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from slipway_crds.runtimeconfig import AgentConfig, RuntimeConfig
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.main import run
from slipway_runtime.settings import HostSettings
from slipway_runtime.store.database import Database
from tests.support.identity_keys import host_keys
from tests.support.scripted_host import Wordy
from tests.support.scripts import SIGNER, hosted
from tests.support.servers import free_port, wait_for_http

ROOT = Path(__file__).parents[2]
WORDY = (sys.executable, "-m", "tests.support.host_process")
"""The command with agents that only say words."""
REAL = (str(Path(sys.executable).with_name("slipway")), "host")
"""The command as a pod runs it."""


@asynccontextmanager
async def wordy_agents(
    config: RuntimeConfig, settings: HostSettings, database: Database
) -> AsyncIterator[list[HostedAgent]]:
    """Agents that say as many words as they are asked for."""
    yield [HostedAgent(agent, Wordy()) for agent in config.agents]


@dataclass(frozen=True)
class HostProcess:
    """A running host."""

    process: subprocess.Popen[bytes]
    url: str
    metrics_url: str
    log: Path
    """What it wrote to standard error."""


def host_environment(
    folder: Path, dsn: str, *, name: str, agents: Sequence[AgentConfig], port: int, metrics_port: int
) -> dict[str, str]:
    """What a pod would be given; the files are written into the folder."""
    (folder / "config.json").write_text(RuntimeConfig(agents=tuple(agents)).model_dump_json())
    (folder / "dsn").write_text(dsn)
    return {
        "SLIPWAY_CONFIG": str(folder / "config.json"),
        "SLIPWAY_STORE_DSN_FILE": str(folder / "dsn"),
        **host_keys(folder, SIGNER.public_key),
        "SLIPWAY_PORT": str(port),
        "SLIPWAY_METRICS_PORT": str(metrics_port),
        "SLIPWAY_HOST_ID": name,
    }


@contextmanager
def host_process(
    folder: Path,
    dsn: str,
    *,
    name: str = "host",
    command: Sequence[str] = WORDY,
    agents: Sequence[AgentConfig] = (hosted(None).config,),
    up: str = "/readyz",
    **environment: str,
) -> Iterator[HostProcess]:
    """Start a host and wait until it answers 200 at the path `up`; kill it at the end if it still runs."""
    port, metrics_port, log = free_port(), free_port(), folder / f"{name}.log"
    given = host_environment(folder, dsn, name=name, agents=agents, port=port, metrics_port=metrics_port)
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stderr=stderr,
            env={**os.environ, **given, **environment},
        )
        try:
            wait_for_http(f"http://127.0.0.1:{port}{up}", process, log)
            metrics_url = f"http://127.0.0.1:{metrics_port}/metrics"
            yield HostProcess(process, f"http://127.0.0.1:{port}", metrics_url, log)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(30)


if __name__ == "__main__":
    run(wordy_agents)
