"""Running other programs to their end."""

import subprocess
from collections.abc import Sequence

from devcluster.errors import DevclusterError


def run(command: Sequence[str], *, stdin: str | None = None, env: dict[str, str] | None = None) -> str:
    """Run a command and return its standard output. Raises DevclusterError with what it wrote when it fails."""
    try:
        done = subprocess.run(command, input=stdin, env=env, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise DevclusterError(
            f"{command[0]} is not installed: run `devcluster check` to see all that is missing"
        ) from error
    if done.returncode != 0:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-15:])
        raise DevclusterError(f"this failed with status {done.returncode}: {' '.join(command)}\n{tail}")
    return done.stdout


def succeeds(command: Sequence[str]) -> bool:
    """Whether a command can be run and ends with status 0."""
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
