"""`slipway workflow`: start runs of workflows, follow them, and decide what they wait for.

As in `cli.py`, what a word needs is imported when the word is used.
"""

from pathlib import Path
from typing import Annotated

import typer

workflow = typer.Typer(help="Runs of workflows.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The workflow: namespace/name, or its name alone where that is enough.")]
MaybeName = Annotated[str | None, typer.Argument(help="The workflow: namespace/name.")]
RunId = Annotated[str, typer.Argument(help="The run's id.")]
Step = Annotated[str, typer.Argument(help="The step's name.")]
Url = Annotated[str, typer.Option(help="The gateway.", envvar="SLIPWAY_URL")]
Key = Annotated[str | None, typer.Option(help="API key.", envvar="SLIPWAY_API_KEY")]
HERE = "http://127.0.0.1:8080"


@workflow.command("run")
def run(
    name: Name,
    given: Annotated[str | None, typer.Option("--input", help="What it is given: JSON, or @file.json.")] = None,
    once: Annotated[
        str | None, typer.Option(help="A name for this start: a second one with it starts nothing.")
    ] = None,
    follow: Annotated[bool, typer.Option("--watch/--no-watch", help="Follow the run to its end.")] = True,
    url: Url = HERE,
    key: Key = None,
) -> None:
    """Start a run and follow it. Its output is printed as JSON; the exit code is 1 if it fails."""
    from slipway_runtime.workflows.command import main
    from slipway_runtime.workflows.command.client import WorkflowPlace

    raise typer.Exit(main.run(WorkflowPlace(url, key, name), given, key=once, follow=follow))


@workflow.command("watch")
def watch(name: Name, run_id: RunId, url: Url = HERE, key: Key = None) -> None:
    """Follow a run from its beginning to its end."""
    from slipway_runtime.workflows.command import main
    from slipway_runtime.workflows.command.client import WorkflowPlace

    raise typer.Exit(main.watch(WorkflowPlace(url, key, name), run_id))


@workflow.command("list")
def list_runs(
    name: MaybeName = None,
    state: Annotated[str | None, typer.Option(help="Only runs in this state, such as waiting.")] = None,
    url: Url = HERE,
    key: Key = None,
) -> None:
    """List the workflows, or the newest runs of one of them."""
    from slipway_runtime.workflows.command import main
    from slipway_runtime.workflows.command.client import WorkflowPlace

    raise typer.Exit(main.show_list(WorkflowPlace(url, key, name), state=state))


@workflow.command("graph")
def graph(
    name: MaybeName = None,
    run_id: Annotated[str | None, typer.Option("--run", help="Show the states of this run.")] = None,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print Mermaid for a page or a wiki.")] = False,
    files: Annotated[list[Path] | None, typer.Option("--file", "-f", help="Of manifests, without a gateway.")] = None,
    url: Url = HERE,
    key: Key = None,
) -> None:
    """Draw the steps of a workflow, with the states of a run if one is named."""
    from slipway_runtime.workflows.command import main
    from slipway_runtime.workflows.command.client import WorkflowPlace

    raise typer.Exit(main.graph(WorkflowPlace(url, key, name), files or (), run_id=run_id, as_mermaid=mermaid))


@workflow.command("approve")
def approve(
    name: Name,
    run_id: RunId,
    step: Step,
    deny: Annotated[bool, typer.Option("--deny", help="Deny it instead.")] = False,
    comment: Annotated[str | None, typer.Option(help="What others read of the decision.")] = None,
    url: Url = HERE,
    key: Key = None,
) -> None:
    """Approve or deny what a run waits for."""
    from slipway_runtime.workflows.command import main
    from slipway_runtime.workflows.command.client import WorkflowPlace

    raise typer.Exit(main.approve(WorkflowPlace(url, key, name), run_id, step, approved=not deny, comment=comment))


@workflow.command("cancel")
def cancel(name: Name, run_id: RunId, url: Url = HERE, key: Key = None) -> None:
    """End a run."""
    from slipway_runtime.workflows.command import main
    from slipway_runtime.workflows.command.client import WorkflowPlace

    raise typer.Exit(main.cancel(WorkflowPlace(url, key, name), run_id))


@workflow.command("retry")
def retry(
    name: Name,
    run_id: RunId,
    step: Annotated[
        str | None, typer.Option("--from", help="The step to begin at; the one that failed if left out.")
    ] = None,
    url: Url = HERE,
    key: Key = None,
) -> None:
    """Start a run anew, with what the steps before the failed one gave."""
    from slipway_runtime.workflows.command import main
    from slipway_runtime.workflows.command.client import WorkflowPlace

    raise typer.Exit(main.retry(WorkflowPlace(url, key, name), run_id, step))


@workflow.command("settle")
def settle(
    name: Name,
    run_id: RunId,
    step: Step,
    outcome: Annotated[str, typer.Option(help="What came of it: succeeded, failed, or again for once more.")],
    output: Annotated[str | None, typer.Option(help="What it gave: JSON, or @file.json.")] = None,
    index: Annotated[int | None, typer.Option(min=0, help="The element of a step with map, from 0.")] = None,
    url: Url = HERE,
    key: Key = None,
) -> None:
    """Say what came of a step whose outcome nobody knows."""
    from slipway_runtime.workflows.command import main
    from slipway_runtime.workflows.command.client import WorkflowPlace

    place = WorkflowPlace(url, key, name)
    raise typer.Exit(main.settle(place, run_id, step, outcome=outcome, output=output, index=index))


@workflow.command("send")
def send(
    name: Name,
    run_id: RunId,
    event: Annotated[str, typer.Argument(help="The event's name.")],
    payload: Annotated[str | None, typer.Option(help="What it brings: JSON, or @file.json.")] = None,
    url: Url = HERE,
    key: Key = None,
) -> None:
    """Send an event that a run waits for."""
    from slipway_runtime.workflows.command import main
    from slipway_runtime.workflows.command.client import WorkflowPlace

    raise typer.Exit(main.send(WorkflowPlace(url, key, name), run_id, event, payload))
