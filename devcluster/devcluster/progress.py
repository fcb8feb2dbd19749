"""Reports what is going on to the user: a spinner with elapsed time on a terminal, plain lines anywhere else.

Everything goes to standard error, so that what a command prints as its result can be piped.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

console = Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """Print one line for the user."""
    console.print(text, markup=False, soft_wrap=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Show that `text` is being done, and how long it took once it is."""
    started = time.monotonic()
    if console.is_terminal:
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            progress.add_task(text, total=None)
            yield
    else:
        say(f"{text} ...")
        yield
    say(f"{text}: {time.monotonic() - started:.1f} s")
