"""DBOS as the engine: a queue of segments, which one worker at a time takes, and which outlives it.

DBOS is one to a process. It runs in threads of its own and gives each segment back to the event loop of the worker.
What a run's steps gave is not DBOS's but the store's, see docs/decisions.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from dbos import DBOS, DBOSConfig
from dbos import _dbos as dbos_internals
from dbos._serialization import DBOSPortableJSONSerializer

from slipway_crds import contract

VERSION = str(contract.INTERPRETER)
"""Of the interpreter, which the engine keeps with each segment."""
APPLICATION = "slipway-workflows"
QUEUE = "segments"
SEGMENT = "slipway_segment"
MOST_TAKES = 100
"""How often a segment is taken before it is given up: each worker that died with it was one."""

DoSegment = Callable[[str, int], Awaitable[None]]


@dataclass(frozen=True)
class QueueSettings:
    """How a worker takes segments.

    Args:
        url: of the database; `sqlite:///path` or `postgresql://...`.
        schema: of the engine's tables in Postgres, which has no others.
        executor: names this process; no other one ever has the name.
        segments: how many it works on at a time.
        of_one_workflow: how many of those may be of the same workflow.
    """

    url: str
    executor: str
    schema: str | None = None
    segments: int = 32
    of_one_workflow: int = 24
    polling_seconds: float = 0.2


class SegmentQueue:
    """Segments of runs, as long as the process lasts. Only one may be open in a process."""

    def __init__(self, settings: QueueSettings) -> None:
        self.settings = settings
        self.executor = settings.executor
        self._open_now = False

    async def open(self, work: DoSegment) -> None:
        """Begin to take segments, and have `work` do them. Its tables are made if they are not there.

        Raises:
            Exception: whatever keeps the database from being used.
        """
        loop = asyncio.get_running_loop()

        async def hand_over(run_id: str, number: int) -> None:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_coroutine(work(run_id, number)), loop))

        _Handler.work = hand_over
        await asyncio.to_thread(self._open)
        self._open_now = True

    def _open(self) -> None:
        settings = self.settings
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_url": settings.url,
            "sys_db_pool_size": 5,
            "executor_id": settings.executor,
            "application_version": VERSION,
            "use_listen_notify": False,  # its channels are the whole database's: another tenant could listen
            "serializer": DBOSPortableJSONSerializer(),  # the default one is pickle
            "log_level": "WARNING",
            "notification_listener_polling_interval_sec": 2.0,  # nothing is sent by DBOS
            "scheduler_polling_interval_sec": 3600.0,
        }
        if settings.schema:
            config["dbos_system_schema"] = settings.schema
        DBOS(config=config)
        try:
            DBOS.launch()
            DBOS.register_queue(
                QUEUE,
                worker_concurrency=settings.segments,
                partition_worker_concurrency=min(settings.of_one_workflow, settings.segments),
                polling_interval_sec=settings.polling_seconds,
                on_conflict="always_update",
            )
        except BaseException:
            DBOS.destroy()
            raise

    async def put(self, run_id: str, segment: int, *, workflow: str) -> None:
        """Have a segment done. One that is there already stays as it is."""
        await asyncio.to_thread(
            DBOS.enqueue_workflow_with_options,
            {
                "workflow_name": SEGMENT,
                "queue_name": QUEUE,
                "workflow_id": f"{run_id}/{segment}",
                "queue_partition_key": workflow,
                "app_version": VERSION,
            },
            run_id,
            segment,
        )

    async def recover(self, executors: Collection[str]) -> int:
        """Have others do the segments of workers that are dead. Returns how many there were."""
        return len(await asyncio.to_thread(DBOS._recover_pending_workflows, list(executors)))

    async def states(self, segments: Sequence[tuple[str, int]]) -> dict[tuple[str, int], bool]:
        """Of segments that the engine knows, whether it still means to have them done."""
        names = [f"{run_id}/{number}" for run_id, number in segments]
        rows = await asyncio.to_thread(DBOS.list_workflows, workflow_ids=names, load_input=False, load_output=False)
        return {_segment(row.workflow_id): row.status in ("ENQUEUED", "PENDING", "DELAYED") for row in rows}

    async def taken(self) -> frozenset[tuple[str, int]]:
        """The segments that the engine believes this process works on."""
        rows = await asyncio.to_thread(
            DBOS.list_workflows,
            name=SEGMENT,
            status="PENDING",
            executor_id=self.executor,
            load_input=False,
            load_output=False,
        )
        return frozenset(map(_segment, (row.workflow_id for row in rows)))

    async def earlier(self) -> dict[str, int]:
        """How many segments of earlier interpreters have not ended, by the interpreter's number."""
        versions = [str(number) for number in range(1, int(VERSION))]
        if not versions:
            return {}
        rows = await asyncio.to_thread(
            DBOS.list_workflows,
            status=["PENDING", "ENQUEUED", "DELAYED"],
            app_version=versions,
            load_input=False,
            load_output=False,
        )
        return dict(Counter(row.app_version or "" for row in rows))

    async def give_back(self, segment: tuple[str, int]) -> None:
        """Queue a segment again that this process does not work on, whatever the engine believes."""
        name = f"{segment[0]}/{segment[1]}"
        await asyncio.to_thread(_engine()._sys_db.reenqueue_for_recovery, name, [self.executor], QUEUE)

    def stop_taking(self) -> None:
        """Take no more segments; those under way go on."""
        if self._open_now:
            for event in _engine().background_thread_stop_events:
                event.set()

    async def forget(self, segments: Sequence[tuple[str, int]]) -> None:
        """Drop what the engine kept of segments of runs that are no more."""
        if segments:
            await asyncio.to_thread(DBOS.delete_workflows, [f"{run_id}/{number}" for run_id, number in segments])

    async def close(self, *, seconds: int) -> None:
        """Take no more segments, and wait so long for those under way."""
        self._open_now = False
        await asyncio.to_thread(DBOS.destroy, workflow_completion_timeout_sec=seconds)


class _Handler:
    work: DoSegment


@DBOS.workflow(name=SEGMENT, max_recovery_attempts=MOST_TAKES)
async def _segment_of_a_run(run_id: str, number: int) -> None:
    await _Handler.work(run_id, number)


async def _coroutine(awaitable: Awaitable[None]) -> None:
    await awaitable


def _segment(workflow_id: str) -> tuple[str, int]:
    run_id, _, number = workflow_id.rpartition("/")
    return run_id, int(number)


def _engine() -> Any:
    return dbos_internals._get_dbos_instance()
