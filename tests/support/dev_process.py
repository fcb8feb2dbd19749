"""`slipway dev` as a process over one manifest file."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.waiting import until


class DevProcess:
    """The process over one manifest file."""

    def __init__(self, folder: Path, *options: str, **environment: str) -> None:
        self.manifest = folder / "manifests" / "all.yaml"
        self.manifest.parent.mkdir(exist_ok=True)
        self.log = folder / "dev.log"
        self.data = folder / "data"
        self.command: list[str | Path] = [
            Path(sys.executable).with_name("slipway"), "dev", "-f", self.manifest.parent, "--data", self.data,
            *options,
        ]  # fmt: skip
        self.environment = {**os.environ, "COLUMNS": "200", **environment}
        self.process: subprocess.Popen[bytes] | None = None

    def replace(self, text: str) -> None:
        """As editors do: a new file in the place of the old."""
        draft = self.manifest.with_suffix(".draft")
        draft.write_text(text)
        draft.replace(self.manifest)

    def start(self) -> None:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=subprocess.STDOUT, env=self.environment)

    def says(self, pattern: str) -> re.Match[str] | None:
        assert self.process
        assert self.process.poll() is None, self.log.read_text()
        return re.search(pattern, self.log.read_text())

    async def url(self) -> str:
        await until(lambda: self.says("serving at http"), "it serves", deadline=120)
        found = self.says(r"serving at (http://\S+)")
        assert found
        return found[1]

    def stop(self) -> int:
        assert self.process
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)
