"""What each word of `slipway workflow` does. Every function returns the exit code of the process."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
from rich.cells import cell_len
from rich.live import Live
from rich.table import Table
from rich.text import Text

from slipway_crds.manifests import ManifestError, load_paths
from slipway_crds.validate import parse, validate_document
from slipway_crds.workflows.model import Workflow
from slipway_runtime.ask import CannotAsk
from slipway_runtime.terminal import Terminal
from slipway_runtime.workflows.command.client import WorkflowClient, WorkflowPlace, client_of, connected, list_workflows
from slipway_runtime.workflows.command.progress import RunProgress, asked, when
from slipway_runtime.workflows.graph import GraphNode, drawing, mermaid, nodes_of

OK, FAILED = 0, 1
PIPE_COLUMNS = 1_000_000
"""Where nobody looks at lines, they have the length that they need."""
Json = Mapping[str, Any]
Work = Callable[[WorkflowClient], Awaitable[int]]


def _with(place: WorkflowPlace, work: Work) -> int:
    """Do something with a workflow of a gateway. 1 with the reason on standard error if it cannot be done."""

    async def connect() -> int:
        async with connected(place) as http:
            return await work(await client_of(http, place))

    return _guarded(connect)


def _guarded(work: Callable[[], Awaitable[int]]) -> int:
    async def run() -> int:
        return await work()

    try:
        return asyncio.run(run())
    except (CannotAsk, aiohttp.ClientError, TimeoutError, ManifestError) as error:
        Terminal(stderr=True).print(str(error) or "the gateway did not answer in time", markup=False)
        return FAILED
    except KeyboardInterrupt:
        return FAILED


def read_json(text: str | None, *, option: str) -> Any:
    """JSON of the command line, or of a file that begins with `@`. Raises CannotAsk."""
    if text is None:
        return None
    try:
        return json.loads(Path(text[1:]).read_text() if text.startswith("@") else text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CannotAsk(f"{option} is no JSON ({error}): write it like '{{\"name\": 1}}', or @file.json") from None


def run(place: WorkflowPlace, given: str | None, *, key: str | None, follow: bool) -> int:
    """Start a run, and follow it."""

    async def work(client: WorkflowClient) -> int:
        started = await client.start(read_json(given, option="--input") or {}, key=key)
        if not follow:
            Terminal().print(started, markup=False)
            return OK
        return await _followed(client, started)

    return _with(place, work)


def watch(place: WorkflowPlace, run_id: str) -> int:
    """Follow a run from its beginning to its end."""
    return _with(place, lambda client: _followed(client, run_id))


async def _followed(client: WorkflowClient, run_id: str) -> int:
    shown = Terminal(stderr=True)
    steps, _ = await client.graph(run_id)
    progress = RunProgress([replace(each, state="") for each in steps], title=f"{client.workflow} {run_id}")
    if shown.is_terminal:
        with Live(progress.shown(), console=shown, auto_refresh=False) as live:
            async for event in client.events(run_id):
                progress.take(event)
                live.update(progress.shown(), refresh=True)
    else:
        async for event in client.events(run_id):
            if said := progress.take(event):
                shown.print(said, markup=False)
    end = progress.end
    return _ended({**end, **await client.read(run_id)} if "output_bytes" in end else end, run_id)


def _ended(end: Json, run_id: str) -> int:
    """The output on standard output, or on standard error why there is none."""
    if end.get("type") == "done":
        Terminal().print(json.dumps(end.get("output"), indent=2, ensure_ascii=False), markup=False)
        return OK
    step = f" in step {end['step']}" if end.get("step") else ""
    about = ": ".join(str(end[name]) for name in ("reason", "message") if end.get(name))
    Terminal(stderr=True).print(f"run {run_id} {end.get('type')}{step}: {about}", markup=False)
    return FAILED


def show_list(place: WorkflowPlace, *, state: str | None) -> int:
    """The workflows that there are; of one that is named, the newest runs and what they wait for."""

    async def everything() -> int:
        async with connected(place) as http:
            if place.workflow is None:
                _print_table(("workflow", "description"), [_named(each) for each in await list_workflows(http)])
                return OK
            client = await client_of(http, place)
            runs = await client.list_runs(state=state)
            _print_table(("run", "state", "began", "by", "about"), [_listed(each) for each in runs])
            return OK

    return _guarded(everything)


def _named(workflow: Json) -> Sequence[str]:
    return (f"{workflow['namespace']}/{workflow['name']}", str(workflow.get("description") or ""))


def _listed(run: Json) -> Sequence[str]:
    about = ": ".join(str(run[name]) for name in ("step", "reason", "message") if run.get(name))
    by = str(run.get("started_by") or "")
    return (str(run["run_id"]), str(run["state"]), when(run["created"]), by, about)


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The first column names what the row is about: it is never cut, the others shrink."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    first, *others = columns
    table.add_column(first, no_wrap=True, min_width=max((cell_len(row[0]) for row in rows), default=None))
    for name in others:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(each) for each in row))
    _uncut().print(table, crop=False)


def _uncut() -> Terminal:
    """Standard output: long lines are wrapped at a terminal's width, and stay whole in a pipe or a file."""
    found = Terminal(soft_wrap=False)
    if not found.is_terminal:
        found.width = PIPE_COLUMNS
    return found


def graph(place: WorkflowPlace, files: Sequence[Path], *, run_id: str | None, as_mermaid: bool) -> int:
    """The steps of a workflow as a picture, with the states of a run where one is named."""
    if files:
        return _guarded(lambda: _graph_of_files(place, files, as_mermaid=as_mermaid))

    async def work(client: WorkflowClient) -> int:
        nodes, as_text = await client.graph(run_id)
        found = await client.read(run_id) if run_id else {}
        title = client.workflow + (f" {run_id}  {found['state']}" if run_id else "")
        _draw(nodes, title=title, mermaid=as_text if as_mermaid else None)
        for each in found.get("steps", ()):
            if each["state"] == "waiting":
                Terminal(stderr=True).print(asked(each["step"], each), markup=False)
        return OK

    return _with(place, work)


async def _graph_of_files(place: WorkflowPlace, files: Sequence[Path], *, as_mermaid: bool) -> int:
    documents = await asyncio.to_thread(load_paths, files)
    meant = [
        found
        for each in documents
        if isinstance(each.value, dict) and each.value.get("kind") == "Workflow" and not validate_document(each.value)
        if isinstance(found := parse(each.value), Workflow)
        if place.workflow in (None, found.metadata.name, f"{found.metadata.namespace}/{found.metadata.name}")
    ]
    if not meant:
        raise CannotAsk("there is no valid Workflow of this name in the files: `slipway validate` says what is wrong")
    for each in meant:
        nodes, title = nodes_of(each.spec), f"{each.metadata.namespace}/{each.metadata.name}"
        _draw(nodes, title=title, mermaid=mermaid(nodes) if as_mermaid else None)
    return OK


def _draw(nodes: Sequence[GraphNode], *, title: str, mermaid: str | None) -> None:
    """As a picture, or as the text of Mermaid."""
    if mermaid is None:
        _uncut().print(drawing(nodes, title=title))
    else:
        Terminal().print(mermaid, markup=False)


def approve(place: WorkflowPlace, run_id: str, step: str, *, approved: bool, comment: str | None) -> int:
    """Decide what an approval waits for."""
    return _with(place, lambda client: _told(client.decide(run_id, step, approved=approved, comment=comment)))


def cancel(place: WorkflowPlace, run_id: str) -> int:
    """End a run."""
    return _with(place, lambda client: _told(client.cancel(run_id)))


def retry(place: WorkflowPlace, run_id: str, step: str | None) -> int:
    """Start a run anew from a step, with what the steps before it gave."""
    return _with(place, lambda client: _told(client.retry(run_id, step)))


def settle(place: WorkflowPlace, run_id: str, step: str, *, outcome: str, output: str | None, index: int | None) -> int:
    """Say what came of a step whose outcome nobody knows, or of one of its elements."""

    async def work(client: WorkflowClient) -> int:
        given = read_json(output, option="--output")
        return await _told(client.settle(run_id, step, outcome=outcome, output=given, index=index))

    return _with(place, work)


def send(place: WorkflowPlace, run_id: str, event: str, payload: str | None) -> int:
    """Send an event that a run waits for."""

    async def work(client: WorkflowClient) -> int:
        return await _told(client.send(run_id, event, read_json(payload, option="--payload")))

    return _with(place, work)


async def _told(change: Awaitable[Json]) -> int:
    run = await change
    Terminal().print(f"run {run['run_id']} is {run.get('state', 'queued')}", markup=False)
    return OK
