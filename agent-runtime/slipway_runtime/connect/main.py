"""`slipway connect`: print an assistant's configuration, or merge it into the file that is there."""

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import typer

from slipway_runtime.connect.assistants import FORMATS, Assistant, Json, merged
from slipway_runtime.settings import is_secure

BACKUP = ".before-slipway"
"""What the name of the copy of the file, as it was before the first change, ends with."""


class CannotConnect(Exception):
    """The text says what to do."""


@dataclass(frozen=True)
class Connecting:
    """What is asked for."""

    assistant: Assistant
    url: str
    """The gateway's."""
    agent: str | None
    """`namespace/name`; None for the server of all agents."""
    variable: str | None
    """Of the environment, which has the key; None for a gateway that needs none."""
    project: Path

    @property
    def name(self) -> str:
        """Of the server, in the configuration."""
        return "slipway" if self.agent is None else f"slipway-{self.agent.replace('/', '-')}"

    @property
    def server_url(self) -> str:
        """Where the assistant reaches it."""
        path = "/mcp" if self.agent is None else f"/agents/{self.agent}/mcp"
        return self.url.rstrip("/") + path

    def merged(self, former: Json) -> Json:
        """The configuration with the server in it. Raises ValueError."""
        return merged(former, self.assistant, name=self.name, url=self.server_url, variable=self.variable)


def main(asked: Connecting, *, write: bool) -> int:
    """Returns the exit status."""
    try:
        _check(asked)
        if asked.variable is not None and not is_secure(asked.url):
            typer.echo(f"Warning: {asked.url} is plain http: whoever is on the way can read the API key.", err=True)
        file = FORMATS[asked.assistant].path(asked.project)
        if not write:
            typer.echo(_text(asked.merged({})), nl=False)
            typer.echo(f"Put this into {file}, or let --write merge it in.", err=True)
            return 0
        backup = connect(asked, file)
    except CannotConnect as problem:
        typer.echo(problem, err=True)
        return 1
    typer.echo(f"Wrote {file}." + (f" What it was before the first change is in {backup}." if backup else ""), err=True)
    if asked.variable is not None:
        form = FORMATS[asked.assistant]
        key = "it asks for the API key" if form.asks else f"it reads the API key from {asked.variable}: set that first"
        typer.echo(f"Start {asked.assistant} again; {key}.", err=True)
    return 0


def _check(asked: Connecting) -> None:
    parts = urlsplit(asked.url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise CannotConnect(f"--url must be the gateway's address, such as http://127.0.0.1:8080, not {asked.url}")
    if parts.username or parts.password:
        raise CannotConnect("--url must not have a key or a password in it: give the key by --key-env")
    if asked.agent is not None and asked.agent.count("/") != 1:
        raise CannotConnect(f"--agent must be namespace/name, not {asked.agent}")
    if asked.variable is not None and not asked.variable.isidentifier():
        raise CannotConnect("--key-env is the name of a variable of the environment, not the key itself")


def connect(asked: Connecting, file: Path) -> Path | None:
    """Merge the server into a file, which is replaced as a whole.

    Returns:
        Where a copy of the file is, as it was before the first change; None if there was none, or if nothing had to be
        changed.

    Raises:
        CannotConnect: if the file cannot be read as it should be, and would lose something.
    """
    target = file.resolve()
    former = _read(target)
    try:
        wanted = asked.merged(former or {})
    except ValueError as error:
        raise CannotConnect(
            f"{file} has not the form that {FORMATS[asked.assistant].page} describes: {error}"
        ) from None
    if wanted == former:
        return None
    backup = target.with_name(target.name + BACKUP) if former is not None else None
    if backup and not backup.exists():  # a second change would replace what was the user's own
        shutil.copy2(target, backup)
    target.parent.mkdir(parents=True, exist_ok=True)
    _replace(target, _text(wanted))
    return backup


def _read(file: Path) -> Json | None:
    """What is there; None for no file, or an empty one."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise CannotConnect(f"{file} cannot be read: {error}") from None
    if not text.strip():
        return None
    try:
        found = json.loads(text)
    except ValueError as error:
        raise CannotConnect(
            f"{file} is no plain JSON ({error}). It may have comments, which would be lost: run the same command "
            "without --write, and add what it prints by hand."
        ) from None
    if not isinstance(found, dict):
        raise CannotConnect(f"{file} is no JSON object: nothing was changed")
    return found


def _replace(target: Path, text: str) -> None:
    """Nobody ever sees half a file, and its mode stays."""
    handle, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        if target.exists():
            shutil.copymode(target, draft)
        os.replace(draft, target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _text(configuration: Json) -> str:
    return json.dumps(configuration, indent=2, ensure_ascii=False) + "\n"
