"""`slipway workflow` against a gateway, and its pictures of manifests without one."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from slipway_runtime.cli import app
from slipway_runtime.workflows.command import main
from slipway_runtime.workflows.command.client import WorkflowPlace
from slipway_runtime.workflows.command.progress import RunProgress
from slipway_runtime.workflows.graph import GraphNode
from slipway_runtime.workflows.records import RunState
from tests.runtime.workflows.doors.conftest import LONG, Doors
from tests.support.waiting import until_async
from tests.support.workflows import WORKFLOW, failing, giving

SPEC = """
description: Greets somebody.
steps:
  - {name: greet, agentRef: {name: clerk}, ask: "Hello ${input.name}"}
  - {name: sign, needs: [greet], approval: {groups: [leads], message: "Send it to ${input.name}?", expires: 2h}}
output: {value: "{'said': steps.greet.given.question, 'by': steps.sign.by}"}
"""
Say = Callable[..., Any]


def place(doors: Doors, *, key: str | None = None) -> WorkflowPlace:
    return WorkflowPlace(doors.front.url, key or doors.other, "test")


async def say(command: Callable[..., int], *given: Any, **named: Any) -> int:
    """The exit code of a word, whose own event loop runs in a thread."""
    return await asyncio.to_thread(command, *given, **named)


async def waiting(doors: Doors) -> str:
    """The id of the only run, once it waits."""
    found: list[str] = []

    async def there() -> bool:
        runs = await doors.engine.engine.store.listed(WORKFLOW)
        found[:] = [run.id for run in runs if run.state is RunState.WAITING]
        return bool(found)

    await until_async(there, "a run waits")
    return found[0]


async def test_a_run_is_followed_and_approved(doors: Doors, capsys: pytest.CaptureFixture[str]) -> None:
    doors.define(SPEC)
    following = asyncio.create_task(say(main.run, place(doors), '{"name": "Ada"}', key="once", follow=True))
    run = await waiting(doors)
    assert await say(main.approve, place(doors), run, "sign", approved=True, comment=None) == 1
    assert "leads" in capsys.readouterr().err, "somebody in no group does not decide"
    assert await say(main.graph, place(doors), (), run_id=run, as_mermaid=False) == 0
    shown = capsys.readouterr()
    assert "? sign  approval by leads  waiting" in shown.out
    assert "sign: approval by leads, until 2" in shown.err
    assert "Send it to Ada?" in shown.err
    assert await say(main.approve, place(doors, key=doors.lead), run, "sign", approved=True, comment="fine") == 0
    assert await following == 0
    seen = capsys.readouterr()
    output = seen.out.removeprefix(f"run {run} is queued\n")
    assert json.loads(output) == {"said": "Hello Ada", "by": "lead"}
    assert "sign: succeeded" in seen.err
    # The same start again is the same run.
    assert await say(main.run, place(doors), '{"name": "Ada"}', key="once", follow=False) == 0
    assert capsys.readouterr().out == f"{run}\n"
    assert await say(main.watch, place(doors), run) == 0
    assert json.loads(capsys.readouterr().out)["by"] == "lead"


async def test_ids_are_never_cut(
    doors: Doors, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    doors.define(SPEC)
    assert await say(main.run, place(doors), '{"name": "Ada"}', key=None, follow=False) == 0
    run = await waiting(doors)
    capsys.readouterr()
    monkeypatch.setenv("COLUMNS", "40")
    assert await say(main.show_list, place(doors), state=None) == 0
    _, line = capsys.readouterr().out.splitlines()
    assert line.split()[0::5] == [run, "http"], "in a pipe a run is a line"
    monkeypatch.setenv("FORCE_COLOR", "1")  # as in a terminal
    assert await say(main.show_list, place(doors), state=None) == 0
    assert run in capsys.readouterr().out


async def test_a_graph_in_a_pipe_is_as_wide_as_it_is(
    doors: Doors, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "a_step_with_a_name_of_forty_characters_x"
    doors.define(f"steps: [{{name: {name}, approval: {{message: Sign it, groups: [{'g' * 60}]}}}}]")
    monkeypatch.setenv("COLUMNS", "40")
    assert await say(main.graph, place(doors), (), run_id=None, as_mermaid=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if name in line and "g" * 60 in line]) == 1


async def test_an_element_is_settled(doors: Doors, capsys: pytest.CaptureFixture[str]) -> None:
    over = "map: {over: input.of, agentRef: {name: clerk}, tool: book}"
    doors.define(f"steps: [{{name: each, repeat: Never, {over}}}]")
    doors.engine.agents.tools["clerk.book"] = failing("GatewayUnreachable", times=1, known=False)
    assert await say(main.run, place(doors), '{"of": [7]}', key=None, follow=False) == 0
    run = capsys.readouterr().out.strip()
    store = doors.engine.engine.store
    await doors.engine.reaches(await store.read(run), RunState.NEEDS_ATTENTION)
    settling = {"outcome": "succeeded", "output": '{"booked": 1}'}
    assert await say(main.settle, place(doors), run, "each", index=0, **settling) == 0
    assert (await doors.engine.ends(await store.read(run))).output == {"each": [{"booked": 1}]}


async def test_lists(doors: Doors, capsys: pytest.CaptureFixture[str]) -> None:
    doors.define(SPEC)
    assert await say(main.show_list, WorkflowPlace(doors.front.url, doors.other), state=None) == 0
    assert capsys.readouterr().out.split() == ["workflow", "description", "demo/test", "Greets", "somebody."]
    assert await say(main.run, place(doors), '{"name": "Ada"}', key=None, follow=False) == 0
    run = await waiting(doors)
    assert capsys.readouterr().out == f"{run}\n"
    assert await say(main.show_list, place(doors), state="waiting") == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == [run, "waiting"]
    assert await say(main.cancel, place(doors), run) == 0
    assert capsys.readouterr().out == f"run {run} is cancelled\n"
    assert await say(main.show_list, place(doors), state="waiting") == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert await say(main.approve, place(doors, key=doors.lead), run, "sign", approved=True, comment=None) == 1
    assert "cancelled" in capsys.readouterr().err


async def test_a_failed_run_is_retried(doors: Doors, capsys: pytest.CaptureFixture[str]) -> None:
    doors.define("steps: [{name: greet, agentRef: {name: clerk}, ask: hi}]")
    doors.engine.agents.tools["clerk.ask"] = failing("NoAnswer", times=1, then="hi", final=True)
    assert await say(main.run, place(doors), None, key=None, follow=True) == 1
    said = capsys.readouterr().err
    assert "failed in step greet: NoAnswer" in said
    (run,) = await doors.engine.engine.store.listed(WORKFLOW)
    assert await say(main.retry, place(doors), run.id, None) == 0
    (new,) = [each for each in await doors.engine.engine.store.listed(WORKFLOW) if each.id != run.id]
    assert await say(main.watch, place(doors), new.id) == 0


@pytest.mark.parametrize(
    ("url", "workflow", "given", "said"),
    [
        (None, "demo/other", None, "WorkflowNotFound"),
        (None, "other", None, "say which workflow, as namespace/name: demo/test"),
        (None, "test", "{", "--input is no JSON"),
        (None, "test", "@/no/such/file", "--input is no JSON"),
        ("http://127.0.0.1:1", "test", None, "is the gateway running there?"),
        ("gateway", "test", None, "is not a gateway's URL"),
    ],
)
async def test_what_cannot_be_done_is_said(
    doors: Doors, capsys: pytest.CaptureFixture[str], url: str | None, workflow: str, given: str | None, said: str
) -> None:
    doors.define(SPEC)
    where = WorkflowPlace(url or doors.front.url, doors.other, workflow)
    assert await say(main.run, where, given, key=None, follow=False) == 1
    assert said in capsys.readouterr().err


def test_the_picture_of_a_manifest(tmp_path: Path) -> None:
    steps = "[{name: a, wait: {duration: 5s}}, {name: b, needs: [a], search: {indexRef: {name: docs}, query: x}}]"
    file = tmp_path / "flow.yaml"
    file.write_text(
        "apiVersion: slipway.dev/v1alpha1\nkind: Workflow\nmetadata: {name: flow, namespace: demo}\n"
        f"spec: {{steps: {steps}}}\n"
    )
    shown = CliRunner().invoke(app, ["workflow", "graph", "-f", str(file)])
    assert shown.output.split() == [
        "demo/flow",
        "└──",
        ".",
        "a",
        "waits",
        "for",
        "5s",
        "└──",
        ".",
        "b",
        "searches",
        "docs",
    ]
    text = CliRunner().invoke(app, ["workflow", "graph", "flow", "-f", str(file), "--mermaid"]).output
    assert text.splitlines()[0] == "flowchart TD"
    assert "    a --> b" in text.splitlines()
    none = CliRunner().invoke(app, ["workflow", "graph", "other", "-f", str(file)])
    assert none.exit_code == 1


def test_elements_of_a_step_are_counted() -> None:
    progress = RunProgress([GraphNode("each", "for each: clerk: ask")], title="demo/test")
    progress.take({"type": "step_started", "step": "each"})
    for index in range(3):
        assert progress.take({"type": "step_ended", "step": "each", "index": index, "state": "succeeded"}) == ""
    (node,) = progress.nodes()
    assert (node.does, node.state) == ("for each: clerk: ask (3 done)", "running")


async def test_a_long_output_is_printed_whole(doors: Doors, capsys: pytest.CaptureFixture[str]) -> None:
    doors.define(LONG)
    text = "x" * 2_000_000
    doors.engine.agents.tools["clerk.ask"] = giving({"text": text})
    assert await say(main.run, place(doors), None, key=None, follow=True) == 0
    assert json.loads(capsys.readouterr().out) == {"text": text}
