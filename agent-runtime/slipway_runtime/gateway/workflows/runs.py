"""Runs of a workflow as the gateway's other protocols ask for them: workers answer, in the caller's name."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from anyio import EndOfStream, create_memory_object_stream
from anyio.streams.memory import MemoryObjectSendStream

from slipway_crds.contract import WORKFLOW_PATH
from slipway_runtime import statements
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.inner_calls import Kept
from slipway_runtime.gateway.permissions import Action, no_such_workflow, require
from slipway_runtime.gateway.relay import Reply
from slipway_runtime.gateway.routes import WorkflowKey
from slipway_runtime.gateway.upstream import LONGEST_SECONDS, UpstreamRequest
from slipway_runtime.gateway.workflows.relay import WorkerRelay
from slipway_runtime.gateway.workflows.table import WorkflowEntry, workers_of
from slipway_runtime.identity import Caller
from slipway_runtime.protocols.headers import REQUEST_HEADER, RUN_HEADER
from slipway_runtime.protocols.sse import MEDIA_TYPE as EVENT_STREAM
from slipway_runtime.protocols.sse import PING_SECONDS
from slipway_runtime.telemetry.tracing import outgoing

QUICK_SECONDS = 60.0
QUEUED = 64
"""Events that may wait for a slow client."""
LAST = frozenset(("done", "failed", "cancelled"))
"""Types of the event that ends a run."""
SILENCE: Mapping[str, Any] = {}
Json = Mapping[str, Any]


@dataclass(frozen=True)
class _Events:
    """A stream of events whose other end takes them."""

    kept: Kept
    channel: MemoryObjectSendStream[Json]

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start" or self.kept.status != 200:
            await self.kept.send(message)
            return
        for frame in message["body"].split(b"\n\n"):  # the relay passes on whole events
            for line in frame.split(b"\n"):
                if line.startswith(b"data: "):
                    await self.channel.send(orjson.loads(line[6:]))


@dataclass(frozen=True)
class WorkflowRuns:
    """Runs of one workflow, for one caller."""

    gateway: Gateway
    key: WorkflowKey
    caller: Caller

    async def start(self, run: str, given: Json, *, started_by: str) -> Json:
        """Start a run, or find the one of this id. Raises Problem."""
        entry = self._permitted(Action.ASK)
        statement = statements.issue(
            self.caller, workflow=str(self.key), run=run, seconds=entry.seconds or statements.MAX_SECONDS
        )
        headers = {RUN_HEADER: run, statements.STATEMENT_HEADER: statements.sign(statement, self.gateway.signer)}
        return await self._json("POST", "/runs", {"input": given, "started_by": started_by}, headers)

    async def read(self, run: str) -> Json:
        """A run with its steps. Raises Problem."""
        self._permitted(Action.READ)
        return await self._json("GET", f"/runs/{quote(run, safe='')}")

    async def with_output(self, run: str, last: Json) -> Json:
        """The event that ended a run, with the output also where that is too long for an event. Raises Problem."""
        return {**last, "output": (await self.read(run)).get("output")} if "output_bytes" in last else last

    async def listed(self, *, state: str = "", page: str = "") -> Json:
        """A page of runs. Raises Problem."""
        self._permitted(Action.READ)
        query = urlencode({name: value for name, value in (("state", state), ("page", page)) if value})
        return await self._json("GET", f"/runs{f'?{query}' if query else ''}")

    async def cancel(self, run: str) -> Json:
        """End a run. Raises Problem."""
        self._permitted(Action.ASK)
        return await self._json("POST", f"/runs/{quote(run, safe='')}/cancel", {}, {REQUEST_HEADER: run})

    async def decide(self, run: str, step: str, *, approved: bool, comment: str) -> Json:
        """Give what an approval waits for. Raises Problem."""
        self._permitted(Action.ANSWER)
        path = f"/runs/{quote(run, safe='')}/steps/{quote(step, safe='')}/decision"
        body = {"approved": approved} | ({"comment": comment[:4096]} if comment else {})
        return await self._json("POST", path, body, {REQUEST_HEADER: run})

    async def follow(self, run: str, *, after: int = 0) -> AsyncGenerator[Json]:
        """The events of a run after one of them, until its last one, whichever workers it takes.

        After 15 s without any there is an empty one, so that a client learns that the connection lives.

        Raises:
            Problem: if the run cannot be followed, or not any further.
        """
        self._permitted(Action.READ)
        entry, out = create_memory_object_stream[Json](QUEUED)
        kept, path = Kept(), f"/runs/{quote(run, safe='')}/events"
        headers = {"Accept": EVENT_STREAM} | ({"Last-Event-ID": f"{run}.{after}"} if after else {})
        call = self._call("GET", path, None, headers, stream=True)
        relay = WorkerRelay(self.gateway.worker_pods, call, Reply(_Events(kept, entry).send), events=self._base + path)

        async def relayed() -> None:
            with entry:
                await relay.go()

        relaying = asyncio.create_task(relayed())
        try:
            with out:
                while True:
                    try:
                        async with asyncio.timeout(PING_SECONDS):
                            event = await out.receive()
                    except TimeoutError:
                        event = SILENCE
                    except EndOfStream:
                        break
                    yield event
            await relaying
            kept.data()
        finally:
            relaying.cancel()
            await asyncio.wait({relaying})

    @property
    def _base(self) -> str:
        return WORKFLOW_PATH.format(namespace=quote(self.key.namespace, safe=""), name=quote(self.key.name, safe=""))

    def _permitted(self, action: Action) -> WorkflowEntry:
        entry = self.gateway.workflows.get(self.key)
        if entry is None:
            self.gateway.require_workflows()
            raise no_such_workflow()
        require(self.gateway.policy, self.caller, action, self.key)
        return entry

    async def _json(
        self, method: str, path: str, body: Json | None = None, headers: Mapping[str, str] | None = None
    ) -> Json:
        kept = Kept()
        call = self._call(method, path, body, {"Accept": "application/json", **(headers or {})})
        await WorkerRelay(self.gateway.worker_pods, call, Reply(kept.send)).go()
        found: Json = kept.data()
        return found

    def _call(
        self, method: str, path: str, body: Json | None, headers: Mapping[str, str], *, stream: bool = False
    ) -> UpstreamRequest:
        signer, caller = self.gateway.signer, self.caller
        audience = statements.audience(self.key.namespace)
        sent = dict(headers) | ({"Content-Type": "application/json"} if body is not None else {})
        outgoing(sent)
        return UpstreamRequest(
            agent=workers_of(self.key.namespace),
            method=method,
            path=self._base + path,
            headers=sent,
            identity=lambda: signer.sign(caller, audience),
            former_identity=lambda: signer.sign_with_former_key(caller, audience),
            body=orjson.dumps(body) if body is not None else None,
            stream=stream,
            seconds=LONGEST_SECONDS if stream else QUICK_SECONDS,
            success=(200, 202),
        )
