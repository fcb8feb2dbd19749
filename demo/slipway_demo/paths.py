"""Where things lie in the repository and in the user's cache."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "slipway"
HANDBOOK = ROOT / "examples" / "handbook"
ASSISTANT = ROOT / "examples" / "assistant"


def cache_home() -> Path:
    """What can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "slipway"


def model_dir() -> Path:
    """The embedding model, as `make model` leaves it."""
    return cache_home() / "models" / "all-MiniLM-L6-v2"


def state_dir() -> Path:
    """What the demo remembers between commands: its API key, and processes it left running."""
    return cache_home() / "demo"
