"""Topics of Kafka that answers are written to, kept to what the agents' bindings say now.

The client for Kafka is imported with the first topic: most hosts have none.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from slipway_crds import contract
from slipway_crds.runtimeconfig import AnswersBinding
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.store.database import Database

if TYPE_CHECKING:
    from slipway_runtime.kafka.answers import AnswerWriter
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Writing:
    answers: AnswersBinding
    writer: "AnswerWriter"
    task: "asyncio.Task[None]"


class AnswerTopics:
    """Of all agents of a host.

    Args:
        agents: gives those that are served now, by `namespace/name`.
    """

    def __init__(self, database: Database, *, agents: Callable[[], Mapping[str, HostedAgent]]) -> None:
        self._database = database
        self._agents = agents
        self._writing: dict[str, _Writing] = {}

    async def look(self) -> None:
        """Begin with topics that are new, and stop with those that are no more."""
        wanted = {name: answers for name, hosted in self._agents().items() if (answers := hosted.answers())}
        now = self._writing.items()
        await self._stop([name for name, each in now if wanted.get(name) != each.answers or each.task.done()])
        for name, answers in wanted.items():
            if name not in self._writing:
                writer = self._writer(name, answers)
                task = asyncio.create_task(writer.run(), name=f"answers of {name}")
                self._writing[name] = _Writing(answers, writer, task)

    async def stop(self) -> None:
        """Write no more."""
        await self._stop(list(self._writing))

    def problems(self) -> list[str]:
        """Why answers are not written, as sentences."""
        return [
            f"answers of {name} are not written to {each.answers.topic.topic}: {each.writer.problem}"
            for name, each in self._writing.items()
            if each.writer.problem
        ]

    def _writer(self, agent: str, answers: AnswersBinding) -> "AnswerWriter":
        from slipway_runtime.kafka.answers import AnswerWriter
        from slipway_runtime.kafka.connection import KafkaConnection

        folder = Path(answers.folder)
        connection = KafkaConnection(answers.topic, folder, password_file=contract.MODEL_KEY_FILE)
        return AnswerWriter(agent, connection, self._database)

    async def _stop(self, names: Sequence[str]) -> None:
        tasks = [self._writing.pop(name).task for name in names]
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                log.error("answers were not written", exc_info=outcome)
