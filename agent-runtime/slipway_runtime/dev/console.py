"""What `slipway dev` prints for the person in front of it."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from slipway_runtime.dev.kinds import Outcome, Report
from slipway_runtime.dev.manifests import NamespacedName
from slipway_runtime.knowledge.ingestion.ingestion import IngestionProgress
from slipway_runtime.terminal import Terminal

LINE_SECONDS = 3.0
"""How often a file, which cannot show a bar, gets a line about an ingestion."""


class Teller:
    """Writes to a terminal, or line by line to a file."""

    def __init__(self, console: Console | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console or Terminal()
        self._clock = clock

    def warn(self, warnings: Iterable[str]) -> None:
        """What has no effect or is missing."""
        for warning in warnings:
            self._console.print(f"[yellow]warning[/] {escape(warning)}")

    def error(self, text: str) -> None:
        """What keeps something from working."""
        self._console.print(f"[red]error[/] {escape(text)}")

    def note(self, text: str) -> None:
        """Something that happened."""
        self._console.print(f"[dim]{escape(text)}[/]")

    @contextmanager
    def progress(self) -> Iterator[Report]:
        """A bar for every index that is being ingested, for as long as the block lasts; lines in a file."""
        if not self._console.is_terminal:
            yield self._lines()
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
        )
        with Bars(*columns, console=self._console, transient=True) as bars:
            tasks = {}

            def report(key: NamespacedName, progress: IngestionProgress) -> None:
                if progress.total and key not in tasks:
                    tasks[key] = bars.add_task(f"ingesting {key}", total=progress.total, told="")
                if progress.total:
                    bars.update(tasks[key], completed=progress.done, told=str(progress))

            yield report

    def _lines(self) -> Report:
        """A report that writes a line when an ingestion begins, and then every few seconds."""
        began: dict[NamespacedName, float] = {}
        told: dict[NamespacedName, float] = {}

        def report(key: NamespacedName, progress: IngestionProgress) -> None:
            now = self._clock()
            if progress.total and now - told.get(key, float("-inf")) >= LINE_SECONDS:
                told[key] = now
                elapsed = now - began.setdefault(key, now)
                self._console.print(f"ingesting {key}: {progress}, {elapsed:.0f} s")

        return report

    def made(self, outcomes: Iterable[Outcome]) -> None:
        """What became of the objects that take a while."""
        for outcome in outcomes:
            if outcome.error:
                self.error(outcome.error)
                continue
            failed = f", [red]{outcome.failed} failed[/]" if outcome.failed else ""
            self._console.print(f"[bold]{escape(outcome.subject)}[/]: {escape(outcome.made)}{failed}")
            for failure in outcome.failures:
                self.error(failure)

    def plugin(self, plugin: str, url: str, state: str, well: bool | None) -> None:
        """Where a plugin is, and what is known of its server; `well` is None while nobody knows."""
        colour = {True: "green", False: "red", None: "dim"}[well]
        self._console.print(
            f"plugin [bold]{escape(plugin)}[/] at {url}/plugins/{plugin}/mcp: [{colour}]{escape(state)}[/]"
        )

    def serving(
        self, url: str, agents: Iterable[str], *, seconds: float, reach: str, keys: bool, wanted: bool = True
    ) -> None:
        """Where to ask, and how.

        Args:
            wanted: whether the manifests have an agent.
            reach: who can, as in "open to this machine alone".
            keys: whether the gateway asks for an API key.
        """
        agents = list(agents)
        self._console.print(f"[green]serving[/] at [bold]{url}[/] after {seconds:.1f} s, {escape(reach)}")
        if wanted and not agents:
            self._console.print("[yellow]no agent is complete yet[/]: fix what is reported above")
        header = ' -H "Authorization: Bearer $SLIPWAY_API_KEY"' if keys else ""
        if keys and agents:
            self._console.print("[yellow]set SLIPWAY_API_KEY[/] to an API key first: export SLIPWAY_API_KEY=...")
        for agent in agents:
            body = '{"question": "What is an agent?"}'
            self._console.print(
                f"ask [bold]{escape(agent)}[/]:\n  curl -s {url}/agents/{agent}/chat{header} -d '{escape(body)}'\n"
                f"  {sys.argv[0]} ask --url {url} --agent {agent} --stream 'What is an agent?'"
            )
        self._console.print("[dim]manifests are reloaded when they change; Ctrl-C stops[/]")
