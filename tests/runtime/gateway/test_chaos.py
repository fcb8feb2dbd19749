"""Pods and connections die at random points of answers by a model that answers differently each time."""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from slipway_runtime.events import Done, Event, Failed
from slipway_runtime.identity import IdentitySigner
from slipway_runtime.problems import Reason
from tests.runtime.gateway.conftest import CHAT, SUPPORT, Front, StartFront
from tests.runtime.gateway.test_failover import Pod
from tests.support.chat import STREAM, Transcript, events
from tests.support.scripted_host import Options
from tests.support.servers import free_port
from tests.support.thinking import CALLS, WORDS, read_diary
from tests.support.waiting import until_async

QUESTION = {"question": "What do you think?"}
REQUESTS = len(CALLS) + 1
START_SECONDS = 120.0
"""For a pod that imports a framework on a busy machine."""
EVENTS = REQUESTS * (WORDS + 2) + 6
"""About as many as an answer has."""


@dataclass
class Chaos:
    """A gateway, its pods, and what was done in them."""

    front: Front
    pods: list[Pod]
    diary: Path
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)

    async def pods_up(self) -> None:
        """Wait for all pods."""
        for pod in self.pods:
            await pod.alive(self.front.client, deadline=START_SECONDS)

    async def kill_pod(self) -> None:
        """Kill the pod that works on the answer, and start it again."""
        working = {each.url for each in self.front.routes.endpoints(SUPPORT) if each.in_flight}
        for pod in self.pods:
            if pod.url in working:
                pod.kill()
                pod.start_again()

    async def streamed(self) -> str:
        """An answer as a stream that is disturbed after some of its events. Returns what came of it."""
        at, pod = random.randint(1, EVENTS), random.random() < 0.5
        seen, key = Transcript(), {"Idempotency-Key": uuid.uuid4().hex}
        async with self.front.client.post(CHAT, json=QUESTION, headers={**STREAM, **key}) as response:
            async for each in events(response):
                seen.events.append(each)
                if len(seen.events) == at and pod:
                    await self.kill_pod()
                elif len(seen.events) == at:
                    break
        if not _over(seen):
            await self.resume(seen)
        return self.judged(seen.ids[0].run, seen.last, seen.text)

    async def resume(self, seen: Transcript) -> None:
        headers = {**STREAM, "Last-Event-ID": str(seen.ids[-1])}
        path = f"/agents/{SUPPORT}/runs/{seen.ids[0].run}"
        async with self.front.client.get(path, headers=headers) as response:
            assert response.status == 200, await response.text()
            seen.events += [each async for each in events(response)]

    async def at_once(self) -> str:
        """An answer as JSON that is disturbed after some of its model requests."""
        at, pod = random.randint(1, REQUESTS), random.random() < 0.5
        begun, key = len(read_diary(self.diary)), {"Idempotency-Key": uuid.uuid4().hex}
        asking = asyncio.create_task(self.ask(key))

        async def reached() -> bool:
            return asking.done() or len(read_diary(self.diary)) - begun >= at

        await until_async(reached, "the answer is under way")
        await asyncio.sleep(random.random() / 10)
        if pod:
            await self.kill_pod()
        else:
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking
        status, body = await (asking if pod else self.ask(key))
        if status == 200:
            return self.judged(body["run_id"], Done(answer=body["answer"], finish="stop", sources=()), body["answer"])
        assert body["reason"] == Reason.UNKNOWN_OUTCOME, body
        return str(body["reason"])

    async def ask(self, key: dict[str, str]) -> tuple[int, dict[str, Any]]:
        async with self.front.client.post(CHAT, json=QUESTION, headers=key) as response:
            return response.status, await response.json(content_type=None)

    def judged(self, run: str, last: Event, text: str) -> str:
        """What an answer came to; it must be whole, or fail for the one reason that there is."""
        acts = [deed for each, deed in read_diary(self.diary) if each == run and deed == "act"]
        if isinstance(last, Failed):
            assert last.reason == Reason.UNKNOWN_OUTCOME, last
            assert len(acts) <= 1
            return last.reason
        assert isinstance(last, Done)
        assert last.answer == text
        assert len(text.split()) == WORDS
        assert len(acts) == 1
        return "answered"


def _over(seen: Transcript) -> bool:
    return isinstance(seen.last, Done | Failed)


PROTOCOLS: dict[str, Callable[[Chaos], Coroutine[Any, Any, str]]] = {
    "chat stream": Chaos.streamed,
    "chat JSON": Chaos.at_once,
}


async def disturbed(
    tmp_path: Path, postgres_dsn: str, signer: IdentitySigner, start_front: StartFront, *, points: int
) -> Chaos:
    """Answer so many questions, each of which loses its pod or its client's connection once."""
    diary = tmp_path / "diary"
    shared = {"dsn": postgres_dsn, "public_key": signer.public_key, "diary": str(diary), "lease": 1.5}
    pods = [Pod(Options(name=f"pod-{n}", port=free_port(), **shared)) for n in range(2)]  # type: ignore[arg-type]
    try:
        chaos = Chaos(await start_front(), pods, diary)
        chaos.front.routes.set(SUPPORT, [pod.url for pod in pods])
        for number in range(points):
            await chaos.pods_up()
            name, answer = list(PROTOCOLS.items())[number % len(PROTOCOLS)]
            chaos.outcomes.setdefault(name, Counter())[await answer(chaos)] += 1
        return chaos
    finally:
        for pod in pods:
            pod.kill()


def report(chaos: Chaos) -> str:
    """What is printed: per protocol how answers ended, and what was done twice."""
    deeds = Counter(read_diary(chaos.diary))
    repeated = sum(times - 1 for (_, deed), times in deeds.items() if deed.startswith("model"))
    acts = [times for (_, deed), times in deeds.items() if deed == "act"]
    lines = [f"{name}: {dict(outcomes)}" for name, outcomes in chaos.outcomes.items()]
    lines.append(f"model calls repeated: {repeated}; tools that must not run twice: {len(acts)} runs, {sum(acts)} acts")
    return "\n".join(lines)


async def chaos_is_survived(
    tmp_path: Path, postgres_dsn: str, signer: IdentitySigner, start_front: StartFront, *, points: int
) -> None:
    chaos = await disturbed(tmp_path, postgres_dsn, signer, start_front, points=points)
    print(f"\n{report(chaos)}")  # noqa: T201 (`make test-deep ARGS=-s` shows it)
    assert sum(sum(outcomes.values()) for outcomes in chaos.outcomes.values()) == points
    assert max(times for (_, deed), times in Counter(read_diary(chaos.diary)).items() if deed == "act") == 1
    answered = sum(outcomes["answered"] for outcomes in chaos.outcomes.values())
    assert answered > points / 2, "an act is a small part of an answer"


async def test_ten_disturbances(
    tmp_path: Path, postgres_dsn: str, signer: IdentitySigner, start_front: StartFront
) -> None:
    await chaos_is_survived(tmp_path, postgres_dsn, signer, start_front, points=10)


@pytest.mark.deep
async def test_sixty_disturbances(
    tmp_path: Path, postgres_dsn: str, signer: IdentitySigner, start_front: StartFront
) -> None:
    await chaos_is_survived(tmp_path, postgres_dsn, signer, start_front, points=60)
