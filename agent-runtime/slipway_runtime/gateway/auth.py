"""API keys, of which only hashes are kept.

A key has 256 random bits, so a plain SHA-256 keeps it safe (there is nothing to guess), and checking one costs
microseconds. The file is read again when it changes: a new key works, and a removed one stops working, within a second
and without a restart.
"""

import hashlib
import hmac
import logging
import os
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from slipway_runtime.gateway.callers import Headers, Unproven, groups_problem
from slipway_runtime.identity import SEPARATOR, Caller

log = logging.getLogger(__name__)

KEY_PREFIX = "slipway-"
CHECK_SECONDS = 1.0
"""How often at most the file is looked at for a change."""
GRACE_SECONDS = 60.0
"""How long the last good keys stay in force while the file cannot be read: long enough for a slip while writing it to
be corrected, and short enough that to delete the file is a way to shut everybody out."""


REMEDY = "send an API key as 'X-API-Key: KEY' or as 'Authorization: Bearer KEY'; 'slipway keys new NAME' makes one"


def _unambiguous(name: str) -> str:
    """Owners of sessions are `issuer|subject`, and for API keys the name alone: no name may look like the former."""
    if SEPARATOR in name:
        raise ValueError(f"must not contain {SEPARATOR}")
    return name


def _bounded(groups: tuple[str, ...]) -> tuple[str, ...]:
    if problem := groups_problem(groups):
        raise ValueError(problem)
    return groups


class KeyEntry(BaseModel):
    """One caller: a name, the hash of the key, and the groups that the caller is in."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Annotated[str, Field(min_length=1, max_length=253), AfterValidator(_unambiguous)]
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
    groups: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=253)], ...], AfterValidator(_bounded)] = ()


class CallerKeyFile(BaseModel):
    """`keys.json`: all callers that the gateway knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    keys: tuple[KeyEntry, ...] = ()


def new_key(name: str, *, groups: Sequence[str] = ()) -> tuple[str, KeyEntry]:
    """A fresh key for a caller, and the entry for `keys.json`; the key itself is kept nowhere.

    Raises:
        ValidationError: for a name that no caller may have, or a group without a name.
    """
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    return key, KeyEntry(name=name, sha256=hash_key(key), groups=tuple(groups))


def hash_key(key: str) -> str:
    """What the file holds in place of the key: hexadecimal SHA-256 of its UTF-8."""
    return hashlib.sha256(key.encode()).hexdigest()


def presented_keys(headers: Headers) -> list[str]:
    """What may be a key: `X-API-Key: KEY` first, then `Authorization: Bearer KEY`.

    A proxy in front may have put a token of its own into `Authorization`, so that one need not be a key of ours.
    """
    values = {name: value.decode("latin-1").strip() for name, value in headers}
    return [key for key in (values.get(b"x-api-key", ""), bearer(headers)) if key]


def bearer(headers: Headers) -> str:
    """The token of `Authorization: Bearer TOKEN`; empty without one."""
    values = {name: value.decode("latin-1").strip() for name, value in headers}
    scheme, _, token = values.get(b"authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def looked_at(headers: Headers) -> str:
    """Where a key was looked for in a request that brought none, for its sender."""
    there = {name: value.decode("latin-1").strip() for name, value in headers}
    found = [
        _finding("X-API-Key", there.get(b"x-api-key"), is_key=True),
        _finding(
            "Authorization",
            there.get(b"authorization"),
            is_key=there.get(b"authorization", "").lower().startswith("bearer "),
        ),
    ]
    return " and ".join(found)


def _finding(header: str, value: str | None, *, is_key: bool) -> str:
    if not value:
        return f"{header} was not sent"
    return f"{header} holds no key of this gateway" if is_key else f"{header} is not 'Bearer KEY'"


class ApiKeys:
    """Lets in who holds a key of the file. One that cannot be read leaves the last good keys in force for a minute."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._checked = float("-inf")
        self._version: tuple[int, int, int] | None = None
        self._keys: tuple[KeyEntry, ...] = ()
        self._missing: str | None = None
        self._unreadable_since: float | None = None

    async def caller(self, headers: Headers) -> Caller | Unproven:
        self._refresh()
        presented = presented_keys(headers)
        for digest in map(hash_key, presented):
            found = [entry for entry in self._keys if hmac.compare_digest(entry.sha256, digest)]
            if found:
                return Caller.by_key(found[0].name, groups=found[0].groups)
        return Unproven(presented=bool(presented), finding=looked_at(headers), remedy=REMEDY)

    def missing(self) -> str | None:
        self._refresh()
        return self._missing

    def _refresh(self) -> None:
        now = self._clock()
        if now - self._checked < CHECK_SECONDS:
            return
        self._checked = now
        try:
            self._read()
            self._missing = self._unreadable_since = None
        except OSError as error:
            self._complain(f"the file of API keys cannot be read ({error}): make the Secret that holds keys.json")
        except ValidationError as error:
            where = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)]
            self._complain(f"the file of API keys {self._path} is not valid ({'; '.join(where)}): fix keys.json")

    def _read(self) -> None:
        status = os.stat(self._path)
        version = (status.st_mtime_ns, status.st_ino, status.st_size)
        if version != self._version:
            self._keys = CallerKeyFile.model_validate_json(self._path.read_bytes()).keys
            self._version = version
            log.info("API keys read", extra={"path": str(self._path), "keys": len(self._keys)})

    def _complain(self, text: str) -> None:
        if text != self._missing:
            log.error(text)
        self._missing = text
        if self._unreadable_since is None:
            self._unreadable_since = self._checked
        if self._keys and self._checked - self._unreadable_since >= GRACE_SECONDS:
            log.error("no API key is honoured any more: the file could not be read for %g s", GRACE_SECONDS)
            self._keys, self._version = (), None
