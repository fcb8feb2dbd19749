"""Running the scanners. A scanner that breaks is an error, never an empty result."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT_S = 600


class ScannerFailed(Exception):
    """A scanner could not do its work; the message has what it wrote."""


@dataclass(frozen=True)
class Tools:
    """Where the scanners are."""

    folder: Path

    def path(self, name: str) -> str:
        """The program's path. Raises ScannerFailed where it is not installed."""
        path = self.folder / name
        if not path.is_file():
            raise ScannerFailed(f"{path} is missing: run `make audit`, which installs the scanners")
        return str(path)

    def bandit(self, *arguments: str) -> Any:
        """bandit's JSON; 1 is its status for findings."""
        return output([self.path("bandit"), "--quiet", "--format=json", *arguments], statuses=(0, 1))

    def trivy(self, *arguments: str) -> list[dict[str, Any]]:
        """The `Results` of trivy's JSON, which has no such key where there is nothing to say.

        Checks are those embedded in the program: neither they nor a database are downloaded.
        """
        quiet = ("--quiet", "--skip-version-check", "--format=json")
        found = output([self.path("trivy"), *arguments, *quiet], statuses=(0,))
        results: list[dict[str, Any]] = found.get("Results") or []
        return results


def output(command: Sequence[str], *, statuses: Sequence[int], cwd: Path | None = None) -> Any:
    """What a command writes to standard output, as JSON. Raises ScannerFailed with what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S, cwd=cwd)
    if done.returncode not in statuses:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-15:])
        raise ScannerFailed(f"this failed with status {done.returncode}: {' '.join(command)}\n{tail}")
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise ScannerFailed(
            f"this wrote no JSON: {' '.join(command)}\n{done.stdout[:500]}{done.stderr[:500]}"
        ) from error
