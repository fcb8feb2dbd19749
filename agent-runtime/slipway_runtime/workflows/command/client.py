"""A gateway's paths of workflows, as the command line calls them."""

import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp

from slipway_runtime.ask import Asking, CannotAsk, gateway_url, headers_for
from slipway_runtime.workflows.graph import GraphNode

QUICK = aiohttp.ClientTimeout(total=60)
FOLLOWED = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
"""The gateway sends a ping every 15 s."""
RECONNECTS = 5
"""How often in a row a stream of events is continued that brings nothing new."""
LAST = frozenset(("done", "failed", "cancelled"))
Json = Mapping[str, Any]


@dataclass(frozen=True)
class WorkflowPlace:
    """A gateway, and one of its workflows.

    Args:
        workflow: `namespace/name`, or the name alone where only one namespace has it; None for the only one there is.
    """

    url: str
    key: str | None = None
    workflow: str | None = None


class WorkflowClient:
    """One workflow of a gateway."""

    def __init__(self, http: aiohttp.ClientSession, workflow: str) -> None:
        self._http = http
        self.workflow = workflow
        self._base = f"workflows/{workflow}"

    async def graph(self, run: str | None = None) -> tuple[list[GraphNode], str]:
        """The steps, with their states in a run, and the same as Mermaid."""
        found = await self._json("GET", f"{self._run(run) if run else self._base}/graph")
        nodes = [GraphNode(each["name"], each["does"], tuple(each["needs"]), each["state"]) for each in found["steps"]]
        return nodes, str(found["mermaid"])

    async def start(self, given: Json, *, key: str | None) -> str:
        """Start a run, and return its id. A key that was used before names the run that it started."""
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        return str((await self._json("POST", f"{self._base}/runs", {"input": given}, headers))["run_id"])

    async def read(self, run: str) -> Json:
        """A run with its steps."""
        return await self._json("GET", self._run(run))

    async def list_runs(self, *, state: str | None) -> list[Json]:
        """The newest runs."""
        found = await self._json("GET", f"{self._base}/runs{f'?state={quote(state)}' if state else ''}")
        return list(found["runs"])

    async def cancel(self, run: str) -> Json:
        """End a run."""
        return await self._json("POST", f"{self._run(run)}/cancel", {})

    async def retry(self, run: str, step: str | None) -> Json:
        """Start a run anew from a step."""
        return await self._json("POST", f"{self._run(run)}/retry", {"from": step} if step else {})

    async def decide(self, run: str, step: str, *, approved: bool, comment: str | None) -> Json:
        """Give what an approval waits for."""
        body = {"approved": approved} | ({"comment": comment} if comment else {})
        return await self._json("POST", f"{self._run(run)}/steps/{quote(step, safe='')}/decision", body)

    async def settle(self, run: str, step: str, *, outcome: str, output: Any, index: int | None) -> Json:
        """Say what came of a step whose outcome nobody knows, or of one of its elements."""
        more = {"output": output, "index": index}
        body = {"outcome": outcome} | {name: value for name, value in more.items() if value is not None}
        return await self._json("POST", f"{self._run(run)}/steps/{quote(step, safe='')}/settle", body)

    async def send(self, run: str, event: str, payload: Any) -> Json:
        """Send an event that a run waits for."""
        return await self._json("POST", f"{self._run(run)}/events/{quote(event, safe='')}", {"payload": payload})

    async def events(self, run: str) -> AsyncIterator[Json]:
        """Everything that happens in a run, from its beginning to its end. A connection that breaks is made again.

        Raises:
            CannotAsk: if there is no such run, or the gateway stays away.
        """
        last, failures = "", 0
        while failures < RECONNECTS:
            failures += 1
            headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
            try:
                async with self._http.get(f"{self._run(run)}/events", headers=headers, timeout=FOLLOWED) as response:
                    await _check(response)
                    async for number, event in _frames(response):
                        last, failures = number, 0
                        yield event
                        if event.get("type") in LAST:
                            return
            except (aiohttp.ClientError, TimeoutError) as error:
                if failures == RECONNECTS:
                    raise CannotAsk(f"the gateway stays away ({error}): `slipway workflow watch` goes on") from error
        raise CannotAsk("the run's events end before the run does: `slipway workflow watch` goes on")

    def _run(self, run: str) -> str:
        return f"{self._base}/runs/{quote(run, safe='')}"

    async def _json(
        self, method: str, path: str, body: Json | None = None, headers: Mapping[str, str] | None = None
    ) -> Json:
        async with self._http.request(method, path, json=body, headers=headers, timeout=QUICK) as response:
            await _check(response)
            read: Json = await response.json()
            return read


async def _frames(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, Json]]:
    number = ""
    async for line in response.content:
        if line.startswith(b"id: "):
            number = line[4:].strip().decode()
        elif line.startswith(b"data: "):
            yield number, json.loads(line[6:])


async def _check(response: aiohttp.ClientResponse) -> None:
    """Raise CannotAsk in the gateway's words."""
    if response.ok:
        return
    try:
        problem: Json = await response.json(content_type=None)
        raise CannotAsk(f"{problem['reason']}: {problem['detail']}")
    except (json.JSONDecodeError, KeyError, TypeError):
        raise CannotAsk(f"{response.url} answered {response.status}: is this a Slipway gateway?") from None


@asynccontextmanager
async def connected(place: WorkflowPlace) -> AsyncIterator[aiohttp.ClientSession]:
    """Requests to a gateway. Raises CannotAsk."""
    base = gateway_url(Asking(question="", url=place.url, key=place.key))
    async with aiohttp.ClientSession(base, headers=headers_for(place.key), read_bufsize=2**20) as http:
        try:
            yield http
        except aiohttp.ClientConnectorError as error:
            raise CannotAsk(f"{place.url} cannot be reached ({error}): is the gateway running there?") from error


async def list_workflows(http: aiohttp.ClientSession) -> list[Json]:
    """The workflows that the caller may use."""
    async with http.get("workflows", timeout=QUICK) as response:
        await _check(response)
        return list((await response.json())["workflows"])


async def client_of(http: aiohttp.ClientSession, place: WorkflowPlace) -> WorkflowClient:
    """The workflow that is meant. Raises CannotAsk if it is not clear which one."""
    if place.workflow and "/" in place.workflow:
        namespace, _, name = place.workflow.partition("/")
        return WorkflowClient(http, f"{quote(namespace, safe='')}/{quote(name, safe='')}")
    known = [f"{each['namespace']}/{each['name']}" for each in await list_workflows(http)]
    meant = [each for each in known if place.workflow in (None, each.partition("/")[2])]
    if len(meant) != 1:
        raise CannotAsk(f"say which workflow, as namespace/name: {', '.join(known) or 'there is none yet'}")
    return WorkflowClient(http, meant[0])
