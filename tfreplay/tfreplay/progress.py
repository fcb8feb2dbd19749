"""Telling the user what is going on, on standard error, so that what a command prints can be piped."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

console = Console(stderr=True, highlight=False)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Show that `text` is being done, and how long it took once it is."""
    started = time.monotonic()
    with console.status(text):
        yield
    console.print(f"{text}: {time.monotonic() - started:.1f} s", markup=False, soft_wrap=True)
