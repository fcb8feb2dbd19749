"""The manifests that the demo applies: the handbook as it is, or with documents of the user's own."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slipway_demo.errors import DemoError
from slipway_demo.paths import HANDBOOK, ROOT


@contextmanager
def manifests(docs: Path | None) -> Iterator[Path]:
    """A folder to apply. With `docs`, ConfigMaps made of that folder's text and Markdown files.

    Raises DemoError when the folder's documents cannot be used; the text says what to use instead.
    """
    if docs is None:
        yield HANDBOOK
        return
    with tempfile.TemporaryDirectory(prefix="slipway-demo-") as folder:
        command = [sys.executable, str(ROOT / "scripts" / "handbook.py"), "--docs", str(docs), "--to", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DemoError(f"the documents in {docs} cannot be used:\n{(done.stderr or done.stdout).strip()}")
        yield Path(folder)
