"""`slipway index`: what can be said of an index."""

from pathlib import Path
from typing import Annotated

import typer

index = typer.Typer(help="Measure how an index is searched.", no_args_is_help=True)


@index.callback()
def _group() -> None:
    """Keeps `report` a word of its own: typer would leave it out where it is the only one."""


@index.command()
def report(
    name: Annotated[str, typer.Option("--index", "-i", help="The VectorIndex: name or namespace/name.")],
    files: Annotated[
        list[Path],
        typer.Option("--file", "-f", help="A manifest, or a folder of manifests. May be given several times."),
    ],
    cases: Annotated[
        list[Path] | None, typer.Option(help="A file of cases; those among the manifests if left out.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to a file.")] = None,
) -> None:
    """Search an index for what cases ask, in all modes and with several thresholds, and suggest the best of them."""
    from slipway_runtime.evals.index_report import ReportRequest, main

    raise typer.Exit(main(ReportRequest(files=files, index=name, cases=cases or (), json_file=json_file)))
