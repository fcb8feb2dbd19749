"""The command line: `tfreplay run`, `tfreplay check`, `tfreplay docs`."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from devcluster.progress import console
from tfreplay.check import LIMITS, Result
from tfreplay.check import check as check_all
from tfreplay.docs import documented, modules
from tfreplay.errors import ReplayError
from tfreplay.providers import PROVIDERS
from tfreplay.replay import data_folder, replaying
from tfreplay.terraform import executable

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)


@app.command(context_settings={"ignore_unknown_options": True})
def run(command: Annotated[list[str], typer.Argument(help="after --, such as: terraform -chdir=FOLDER test")]) -> None:
    """Run a terraform command with every provider replayed."""
    folder = next((part.removeprefix("-chdir=") for part in command if part.startswith("-chdir=")), ".")
    first = executable() if command[0] == "terraform" else command[0]
    with replaying([Path(folder)]) as environment:
        environment["TF_DATA_DIR"] = os.environ.get("TF_DATA_DIR") or str(data_folder(Path(folder)))
        done = subprocess.run([first, *command[1:]], env=environment, check=False)
    raise typer.Exit(done.returncode)


@app.command()
def check(tree: Annotated[Path, typer.Argument(exists=True, file_okay=False)]) -> None:
    """Format, validate and test every Terraform folder below TREE."""
    with console.status("terraform") as status:

        def report(result: Result) -> None:
            status.update(f"terraform: {result.folder} done")
            if result.step:
                console.print(f"{result.folder}: terraform {result.step}\n{result.output}", style="red", markup=False)

        results = check_all(tree, report)
    _summary(sorted(results, key=lambda each: each.folder))
    failed = sum(1 for each in results if each.step)
    before = sum(1 for each in results if each.before)
    print(
        f"{len(results)} folders, {sum(each.passed for each in results)} test runs passed, {failed} folders failed;"
        f" {before} folders passed before and have not changed since"
    )
    print(LIMITS)
    by_hand = ", ".join(provider.source for provider in PROVIDERS if provider.by_hand)
    print(f"Schema not from an npm binding: {by_hand}.")
    raise typer.Exit(1 if failed else 0)


def _summary(results: list[Result]) -> None:
    table = Table("Folder", "Test runs passed", "Failed in")
    for each in results:
        table.add_row(str(each.folder), f"{each.passed or ''}{' (before)' if each.before else ''}", each.step)
    console.print(table)


@app.command()
def docs(
    tree: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    check: Annotated[bool, typer.Option("--check", help="write nothing; fail if a table is stale")] = False,
) -> None:
    """Write the tables of inputs and outputs in the READMEs of the modules below TREE."""
    stale = [folder for folder in modules(tree) if documented(folder) != (folder / "README.md").read_text()]
    for folder in stale:
        if check:
            print(f"{folder}/README.md is stale: run `make generate`")
        else:
            (folder / "README.md").write_text(documented(folder))
    raise typer.Exit(1 if check and stale else 0)


def main() -> None:
    """The entry point: an error that the user can fix becomes one message and exit status 1."""
    try:
        app()
    except ReplayError as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        sys.exit(1)
