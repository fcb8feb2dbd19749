"""The `slipway` command: one word a job, the same in containers and at a desk.

What a word needs is imported when the word is used: a gateway must not pay for an embedder, nor `keys new` for either.
"""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from slipway_crds import contract
from slipway_runtime.cli_catalog import catalog
from slipway_runtime.cli_index import index
from slipway_runtime.cli_plugins import plugin
from slipway_runtime.cli_workflow import workflow
from slipway_runtime.connect.assistants import Assistant

app = typer.Typer(
    name="slipway",
    help="Run AI agents on Kubernetes, or here without one.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
keys = typer.Typer(help="API keys of the gateway.", no_args_is_help=True)
app.add_typer(keys, name="keys")
app.add_typer(plugin, name="plugin")
app.add_typer(catalog, name="catalog")
app.add_typer(index, name="index")
app.add_typer(workflow, name="workflow")
PODS = "What pods run"
"""The panel of `--help`, below all others, of what no person types."""

Manifests = Annotated[
    list[Path], typer.Option("--file", "-f", help="A manifest, or a folder of manifests. May be given several times.")
]


@app.command()
def dev(
    files: Manifests,
    port: Annotated[int, typer.Option(help="Where it listens.", min=0, max=65535)] = 8080,
    data: Annotated[Path | None, typer.Option(help="Where sessions and indexes are kept.")] = None,
    store: Annotated[
        str,
        typer.Option(
            help="DSN of a Postgres that keeps them instead; other processes may share it.",
            envvar="SLIPWAY_STORE_DSN",
            show_envvar=True,
        ),
    ] = "",
    host: Annotated[str, typer.Option(help="Address it listens on; others than 127.0.0.1 need --keys.")] = "127.0.0.1",
    keys: Annotated[
        Path | None, typer.Option(help="File of API keys, as the gateway in a cluster has it. Open without.")
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(help="Web origin whose pages may read answers (CORS). May be given several times."),
    ] = None,
) -> None:
    """Serve the agents of manifests here, without a cluster, and reload them when they change."""
    began = time.monotonic()  # what is imported next is part of the wait
    from slipway_runtime.dev.main import Front, main

    front = Front(port, host=host, keys=keys, allowed_origins=tuple(allow_origin or ()))
    raise typer.Exit(main(files, front=front, data=data, store=store, began=began))


@app.command()
def validate(files: Manifests) -> None:
    """Check manifests as an API server would, and say what to write instead."""
    from slipway_runtime.dev.validation import main

    raise typer.Exit(main(files))


@app.command("eval")
def evaluate(
    files: Manifests,
    url: Annotated[str | None, typer.Option(help="Ask this gateway instead of agents made here.")] = None,
    key: Annotated[str | None, typer.Option(help="API key for --url.", envvar="SLIPWAY_API_KEY")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write figures and cases to a file.")] = None,
) -> None:
    """Ask what the cases in the manifests ask, and fail when the answers are not good enough."""
    from slipway_runtime.evals.main import main

    raise typer.Exit(main(files, url=url, key=key, json_file=json_file))


@app.command()
def ask(
    question: str,
    url: Annotated[str, typer.Option(help="The gateway.", envvar="SLIPWAY_URL")] = "http://127.0.0.1:8080",
    agent: Annotated[str | None, typer.Option(help="namespace/name; the only agent there is if left out.")] = None,
    key: Annotated[str | None, typer.Option(help="API key.", envvar="SLIPWAY_API_KEY")] = None,
    session: Annotated[str | None, typer.Option(help="Go on with this conversation.")] = None,
    stream: Annotated[bool, typer.Option("--stream", help="Show the answer while it is made.")] = False,
) -> None:
    """Ask an agent through a gateway, and show the answer with what it cites."""
    from slipway_runtime.ask import Asking, main

    raise typer.Exit(main(Asking(question=question, url=url, agent=agent, key=key, session=session, stream=stream)))


@app.command()
def search(
    question: Annotated[str, typer.Argument(help="What to look for.")],
    only: Annotated[str | None, typer.Option("--index", "-i", help="Only this VectorIndex of the agent.")] = None,
    where: Annotated[str | None, typer.Option(help="A filter on the documents' metadata, as JSON.")] = None,
    url: Annotated[str, typer.Option(help="The gateway.", envvar="SLIPWAY_URL")] = "http://127.0.0.1:8080",
    agent: Annotated[str | None, typer.Option(help="namespace/name; the only agent there is if left out.")] = None,
    key: Annotated[str | None, typer.Option(help="API key.", envvar="SLIPWAY_API_KEY")] = None,
) -> None:
    """Show the passages that an agent's search finds, with their scores."""
    from slipway_runtime.ask import Asking
    from slipway_runtime.search import Searching, main

    raise typer.Exit(main(Searching(Asking(question=question, url=url, agent=agent, key=key), only, where)))


@app.command()
def chat(
    question: Annotated[str, typer.Argument(help="The first question; asked for if left out.")] = "",
    url: Annotated[str, typer.Option(help="The gateway.", envvar="SLIPWAY_URL")] = "http://127.0.0.1:8080",
    agent: Annotated[str | None, typer.Option(help="namespace/name; the only agent there is if left out.")] = None,
    key: Annotated[str | None, typer.Option(help="API key.", envvar="SLIPWAY_API_KEY")] = None,
    session: Annotated[str | None, typer.Option(help="Go on with this conversation.")] = None,
) -> None:
    """Talk to an agent in the terminal: answers as they come, sources, decisions, tokens and cost."""
    from slipway_runtime.ask import Asking
    from slipway_runtime.chat import main

    raise typer.Exit(main(Asking(question=question, url=url, agent=agent, key=key, session=session)))


@app.command()
def connect(
    assistant: Annotated[Assistant, typer.Argument(help="The assistant.")],
    url: Annotated[str, typer.Option(help="The gateway.", envvar="SLIPWAY_URL")] = "http://127.0.0.1:8080",
    agent: Annotated[str | None, typer.Option(help="namespace/name; all agents if left out.")] = None,
    key_env: Annotated[
        str | None, typer.Option(help="The environment's variable that has the API key. Without: no key is sent.")
    ] = None,
    write: Annotated[bool, typer.Option("--write/--print", help="Merge it into the assistant's file.")] = False,
) -> None:
    """Let an assistant use agents by MCP: print its configuration, or merge it into the file that is there."""
    from slipway_runtime.connect.main import Connecting, main

    asked = Connecting(assistant=assistant, url=url, agent=agent, variable=key_env, project=Path.cwd())
    raise typer.Exit(main(asked, write=write))


@keys.command("new")
def new_key(
    name: Annotated[str, typer.Argument(help="Who will use the key.")],
    group: Annotated[list[str] | None, typer.Option(help="A group that they are in; may be repeated.")] = None,
) -> None:
    """Make an API key: the key on standard output, its entry for keys.json on standard error.

    The key is kept nowhere. The gateway needs only the entry.
    """
    from pydantic import ValidationError

    from slipway_runtime.gateway.auth import new_key as make

    try:
        key, entry = make(name, groups=group or ())
    except ValidationError as error:
        wrong = {"groups": "--group"}.get(str(error.errors()[0]["loc"][0]), "NAME")
        raise typer.BadParameter("; ".join(fault["msg"] for fault in error.errors()), param_hint=wrong) from None
    print(key)
    print(f"Give the line above to {name}. Add this to `keys` in keys.json:", file=sys.stderr)
    print(entry.model_dump_json(exclude_defaults=True), file=sys.stderr)


@app.command(contract.HOST_COMMAND, rich_help_panel=PODS)
def host() -> None:
    """Serve the agents of a RuntimeConfig."""
    from slipway_runtime.host.main import main

    main()


@app.command(rich_help_panel=PODS)
def gateway() -> None:
    """Serve the gateway of a cluster."""
    from slipway_runtime.gateway.main import main

    raise typer.Exit(main())


@app.command(contract.CONNECTOR_COMMAND, rich_help_panel=PODS)
def connector() -> None:
    """Serve the connector of a Plugin."""
    from slipway_runtime.connector.main import main

    main()


@app.command(contract.VERIFY_COMMAND, rich_help_panel=PODS)
def verify_image() -> None:
    """Verify the signature of a Plugin's image."""
    from slipway_runtime.connector.image_verification import main

    main()


@app.command(contract.WORKER_COMMAND, rich_help_panel=PODS)
def worker() -> None:
    """Do the runs of a namespace's workflows."""
    from slipway_runtime.workflows.worker.main import main

    main()


@app.command(contract.INGEST_COMMAND, rich_help_panel=PODS)
def ingest() -> None:
    """Bring an index up to date with its sources."""
    from slipway_runtime.knowledge.ingestion.main import main

    raise typer.Exit(main())


if __name__ == "__main__":
    app()
