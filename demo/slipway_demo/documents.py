"""The manifests that the demo applies: the handbook as it is, or with documents of the user's own."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from devcluster.progress import say
from slipway_demo.errors import DemoError
from slipway_demo.paths import HANDBOOK, ROOT

QUESTIONS = ("What happens to a conversation when a pod is killed?", "How do I pause an agent?")
"""Of the handbook: the first, and the next one for the user to ask."""
_PROSE = re.compile(r"^[^\W\d_][\w'-]*(?:[ ,]+\S+){4,}", re.MULTILINE)
"""A line that begins like a sentence, of five words at least."""
WORDS = 15


def questions(folder: Path) -> tuple[str, str]:
    """The first question, and the next one for the user, about what `manifests` made of the user's documents. Nobody
    here knows what is in them, so it begins like the first sentence; `ask` says something better."""
    for path in sorted(folder.glob("documents-*.yaml")):
        config_map = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
        for text in config_map["data"].values():
            if sentence := _PROSE.search(text):
                asked = f"What is known about this: {' '.join(sentence[0].split()[:WORDS])}"
                return asked, asked
    return "What are the documents about?", "What are the documents about?"


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
        if left_out := done.stdout.strip():
            say(left_out)
        yield Path(folder)
