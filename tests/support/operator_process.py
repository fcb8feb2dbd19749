"""The operator as a process of its own on the test's machine, so that it can be stopped, killed and started again."""

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64))).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
PASSWORD = "not-to-be-seen"
START = "from slipway_operator.main import main; main()"


class OperatorProcess:
    """`slipway-operator` with its settings. Use it as a context manager, or `start` and `stop` it."""

    def __init__(self, folder: Path, *, kubeconfig: str, store_dsn: str, env: Mapping[str, str] | None = None) -> None:
        self._log = folder / "operator.log"
        self._dsn = folder / "dsn"
        socket_folder = parse_qs(urlsplit(store_dsn).query)["host"][0]
        self._dsn.write_text(f"postgresql://postgres:{PASSWORD}@/postgres?host={socket_folder}")
        self._env = {
            **os.environ,
            **installation_secrets(folder),
            "KUBECONFIG": kubeconfig,
            "SLIPWAY_OPERATOR_RUNTIME_IMAGE": "slipway.local/runtime:test",
            "SLIPWAY_OPERATOR_CHROMA_IMAGE": "slipway.local/chroma:test",
            "SLIPWAY_OPERATOR_ADMIN_DSN_FILE": str(self._dsn),
            "SLIPWAY_OPERATOR_STORE_HOST": "postgres.test",
            "SLIPWAY_OPERATOR_DRAIN_TIMEOUT": "2s",
            "SLIPWAY_OPERATOR_PROBE_PORT": str(free_port()),
            **(env or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def probes(self) -> str:
        """Base URL of the probes."""
        return f"http://127.0.0.1:{self._env['SLIPWAY_OPERATOR_PROBE_PORT']}"

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of one of the probes; 0 if nobody listens."""
        try:
            with urllib.request.urlopen(f"{self.probes}{path}", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return 0, ""

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def start(self, code: str = START) -> None:
        """Start it. `code` is what the interpreter runs, for tests that sabotage it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([sys.executable, "-c", code], env=self._env, stdout=log, stderr=log)

    def stop(self, *, kill: bool = False) -> int:
        """Stop it and return its exit status."""
        if self._process is None:
            return 0
        self._process.kill() if kill else self._process.terminate()
        return self.wait()

    def wait(self, timeout: float = 30) -> int:
        """Wait until it has ended by itself."""
        assert self._process is not None
        status = self._process.wait(timeout)
        self._process = None
        return status

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        print(self.log[-20000:])  # noqa: T201 (pytest shows it with a failure)


def installation_secrets(folder: Path) -> dict[str, str]:
    """The environment of an operator whose volumes of `slipway-root` and `slipway-identity` are filled already."""
    mounts = {"ROOT": ("root", bytes(range(32))), "IDENTITY": ("private.pem", KEY)}
    for name, (key, content) in mounts.items():
        (folder / name).mkdir(exist_ok=True)
        (folder / name / key).write_bytes(content)
    return {f"SLIPWAY_OPERATOR_{name}_DIR": str(folder / name) for name in mounts}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
