"""`slipway validate`: what is wrong with manifests, one line a finding, and an exit code for pipelines."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from slipway_crds.manifests import ManifestError, load_paths, manifest_files
from slipway_crds.validate import Finding, validate_set
from slipway_runtime.terminal import Terminal

OK, INVALID = 0, 1


def main(files: Sequence[Path], *, console: Console | None = None) -> int:
    """Print what is wrong. 0 if nothing is (warnings do not count), 1 otherwise, or if there is nothing to check."""
    console = console or Terminal()
    try:
        documents = load_paths(files)
        read = {str(file) for path in files for file in manifest_files(path)}
    except ManifestError as error:
        console.print(f"[red]error[/] {escape(str(error))}")
        return INVALID
    for empty in sorted(read - {document.source for document in documents}):
        # Without any manifest there is nothing to be valid, as `kubectl apply` has it too.
        word = "[yellow]warning[/]" if documents else "[red]error[/]"
        console.print(f"{word} {escape(empty)}: there is no manifest in this file")
    if not documents:
        return INVALID
    findings = validate_set(documents)
    for finding in findings:
        console.print(line(finding))
    errors = sum(not finding.problem.waiting for finding in findings)
    objects = f"{len(documents)} object{'s' if len(documents) != 1 else ''}"
    if errors:
        console.print(f"[red]{errors} error{'s' if errors != 1 else ''}[/] in {objects}")
        return INVALID
    console.print(f"[green]valid[/]: {objects}")
    return OK


def line(finding: Finding) -> str:
    """A finding as it is printed, in rich's markup."""
    word = "[yellow]warning[/]" if finding.problem.waiting else "[red]error[/]"
    return f"{word} {escape(str(finding))}"
