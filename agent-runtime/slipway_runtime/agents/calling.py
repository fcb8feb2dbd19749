"""Asking other agents: through the gateway, by the run's grant, as the run's caller.

A call is named by the run and the step that makes it, so one that is repeated, here after a broken connection or on
another host after this one died, follows the run of the first instead of starting another.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from slipway_runtime import retrying
from slipway_runtime.events import Event, ends, read
from slipway_runtime.grants import named_run
from slipway_runtime.protocols.ask import Ask
from slipway_runtime.run import Run
from slipway_runtime.telemetry.tracing import outgoing

LISTED_SECONDS = 10.0
"""How long the list of members is kept."""
LISTS_KEPT = 256
CONNECT_SECONDS = 3.0
IDLE_SECONDS = 4.0
"""Less than the 5 s after which a gateway closes an unused connection."""
SILENCE_SECONDS = 45.0
"""The gateway passes on a host's pings, of which there is one every 15 s."""
PATIENCE_SECONDS = 20.0
"""How long a call that broke off is tried again without any progress."""
EVENT_BYTES = 1024 * 1024
UNFOLLOWED_SECONDS = 60
"""After which a member's run that nobody follows is cancelled. Longer than a host takes to resume the asking run."""
PASSING = frozenset((429, 502, 503))
"""Statuses that may be gone at the next try."""
MAX_PROBLEM_BYTES = 16 * 1024


class CallFailed(Exception):
    """An agent could not be asked, or gave no answer. `reason` is a stable word, `message` says what to do."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


@dataclass(frozen=True)
class MemberDescription:
    """An agent that may be asked, as the gateway describes it."""

    name: str
    ready: bool
    architecture: str
    description: str = ""
    capabilities: tuple[str, ...] = ()
    knowledge: tuple[str, ...] = ()
    """Names of the indexes that it answers from."""


class AgentCalls:
    """The way of one host to other agents. It connects at the first call.

    Args:
        url: the gateway's, such as `http://slipway-gateway.slipway-system.svc.cluster.local`.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._http: aiohttp.ClientSession | None = None
        self._listed: dict[tuple[str, str], tuple[float, tuple[MemberDescription, ...]]] = {}

    async def members(self, run: Run) -> tuple[MemberDescription, ...]:
        """The agents that a run may ask, sorted by name. Kept for 10 s by agent and caller.

        Raises:
            CallFailed: if the gateway does not say.
        """
        key = (run.agent, run.caller)
        if (kept := self._listed.get(key)) is not None and time.monotonic() - kept[0] < LISTED_SECONDS:
            return kept[1]
        found = tuple(sorted((_member(each) for each in await self._list(run)), key=lambda member: member.name))
        if len(self._listed) >= LISTS_KEPT:
            self._listed.clear()
        self._listed[key] = (time.monotonic(), found)
        return found

    async def _list(self, run: Run) -> Sequence[Mapping[str, Any]]:
        began = time.monotonic()
        while True:
            try:
                async with self.http().get("/agents", headers=run_headers(run)) as response:
                    await _check(response)
                    listed: Sequence[Mapping[str, Any]] = (await response.json())["agents"]
                    return listed
            except Broken as error:
                await _pause(error, since=began)

    def call(self, run: Run, member: str, ask: Ask, *, key: str) -> "MemberCall":
        """What asks a member, which is named without its namespace: it is the asking agent's.

        Args:
            key: names the call within the run, the same in every attempt.
        """
        return MemberCall(self, run, member, ask, key)

    def http(self) -> aiohttp.ClientSession:
        """The connections to the gateway."""
        if self._http is None:
            self._http = aiohttp.ClientSession(
                self._url,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS),
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS),
                read_bufsize=EVENT_BYTES,
                auto_decompress=False,
            )
        return self._http

    async def close(self) -> None:
        """Close all connections."""
        if self._http is not None:
            await self._http.close()


@dataclass
class MemberCall:
    """One call of a member."""

    calls: AgentCalls
    run: Run
    member: str
    ask: Ask
    key: str
    _last_id: str = ""
    _lost: float | None = None
    """When the connection broke; None while the member is heard. A member that works may be silent for a while."""

    @property
    def agent(self) -> str:
        """`namespace/name` of the member."""
        return f"{_namespace(self.run)}/{self.member}"

    def with_ask(self, ask: Ask, *, key: str) -> "MemberCall":
        """The same call with another question."""
        return MemberCall(self.calls, self.run, self.member, ask, key)

    async def events(self) -> AsyncGenerator[Event]:
        """The events of the member's run, each once and in order, up to its last one.

        Raises:
            CallFailed: if it cannot be asked, or its events break off for good.
        """
        body = self.ask.model_dump_json(exclude_none=True, exclude={"grant", "session"}).encode()
        path = f"/agents/{self.agent}/runs"
        while True:
            try:
                async with self.calls.http().post(path, data=body, headers=self._headers()) as response:
                    await _check(response, first=not self._last_id)
                    async for event in self._read(response):
                        yield event
                        if ends(event):
                            return
                raise aiohttp.ClientPayloadError("the stream ended before the answer did")
            except Broken as error:
                self._lost = self._lost or time.monotonic()
                await _pause(error, since=self._lost)

    async def cancel(self) -> None:
        """End the member's run, if that works at once; otherwise it ends at its own deadline."""
        child = named_run(owner=self.run.caller, agent=self.agent, key=self._key(), within=self.run.id)
        path = f"/agents/{self.agent}/runs/{child}"
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                async with self.calls.http().delete(path, headers=self._headers()):
                    return
        except Broken:
            return

    def _key(self) -> str:
        return hashlib.sha256(self.key.encode()).hexdigest()

    def _headers(self) -> dict[str, str]:
        headers = run_headers(self.run) | {
            "Accept": "text/event-stream",
            "Content-Type": "application/json",
            "Idempotency-Key": self._key(),
        }
        return headers | ({"Last-Event-ID": self._last_id} if self._last_id else {})

    async def _read(self, response: aiohttp.ClientResponse) -> AsyncIterator[Event]:
        """Raises ValueError for what is no event."""
        number = ""
        async for line in response.content:
            self._lost = None
            if line.startswith(b"id: "):
                number = line[4:].decode().strip()
            elif line.startswith(b"data: "):
                event = read(json.loads(line[6:]))
                self._last_id = number or self._last_id
                yield event


class Passing(Exception):
    """The gateway refused for now."""

    def __init__(self, failed: CallFailed) -> None:
        super().__init__(str(failed))
        self.failed = failed


Broken = (aiohttp.ClientError, TimeoutError, ValueError, Passing)


def _namespace(run: Run) -> str:
    return run.agent.partition("/")[0]


def run_headers(run: Run) -> dict[str, str]:
    """What a run shows the gateway. Raises CallFailed if it has no right to ask."""
    if run.request.grant is None:
        raise CallFailed(
            "NoGrant",
            "The run has no right to ask agents. The gateway gives it to agents with members, as long as not more than "
            "five have asked each other.",
        )
    headers = {"Authorization": f"Bearer {run.request.grant}"}
    outgoing(headers)
    return headers


async def _pause(error: Exception, *, since: float) -> None:
    """Wait before the next try.

    Raises:
        CallFailed: if that has been tried for too long.
    """
    if time.monotonic() - since > PATIENCE_SECONDS:
        if isinstance(error, Passing):
            raise error.failed from error
        said = str(error) or type(error).__name__
        raise CallFailed("GatewayUnreachable", f"The gateway does not answer: {said}.") from error
    await asyncio.sleep(retrying.delay(retrying.REFUSED))


async def _check(response: aiohttp.ClientResponse, *, first: bool = True) -> None:
    """Raise CallFailed for a refusal, and Passing for one that may be gone at the next try."""
    if response.status == 200:
        return
    data = await response.content.read(MAX_PROBLEM_BYTES)
    try:
        problem = json.loads(data)
        failed = CallFailed(str(problem["reason"]), str(problem["detail"]))
    except (ValueError, KeyError, TypeError):
        failed = CallFailed("GatewayUnreachable", f"The gateway answered {response.status} without a reason.")
    # Before the first event the gateway has waited for a pod itself: there is none.
    if response.status in PASSING and not (first and failed.reason == "NoPodReady"):
        raise Passing(failed)
    raise failed


def _member(listed: Mapping[str, Any]) -> MemberDescription:
    return MemberDescription(
        name=str(listed["name"]),
        ready=bool(listed["ready"]),
        architecture=str(listed.get("architecture") or ""),
        description=str(listed.get("description") or ""),
        capabilities=_words(listed.get("capabilities")),
        knowledge=_words(listed.get("knowledge")),
    )


def _words(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else ()
