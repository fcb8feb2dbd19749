"""`kubectl port-forward` in the background, for clusters without a door of their own."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

from devcluster.files import write
from slipway_demo import paths
from slipway_demo.errors import DemoError
from slipway_demo.kube import Kube

DEADLINE_S = 30
_LISTENING = re.compile(r"Forwarding from (127\.0\.0\.1:\d+)")


def start(kube: Kube, *, namespace: str, service: str, port: int) -> str:
    """Forward a free port of the loopback interface to a service; returns its address. Goes on until `stop`."""
    stop()
    log = paths.state_dir() / "port-forward.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [*kube.kubectl, f"--namespace={namespace}", "port-forward", f"service/{service}", f":{port}"]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
        )
    write(_record(), str(process.pid))
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline and process.poll() is None:
        if found := _LISTENING.search(log.read_text()):
            return f"http://{found[1]}"
        time.sleep(0.1)
    raise DemoError(f"the gateway cannot be reached by kubectl port-forward:\n{log.read_text()}")


def stop() -> None:
    """End the forwarding that `start` left running, if there is one."""
    if not _record().is_file():
        return
    pid = int(_record().read_text())
    # The number may have gone to another program since.
    command = Path(f"/proc/{pid}/cmdline")
    if command.is_file() and b"port-forward" in command.read_bytes():
        os.kill(pid, signal.SIGTERM)
    _record().unlink()


def _record() -> Path:
    return paths.state_dir() / "port-forward.pid"
