"""Scripts of SQL: one text, or one for each engine where they differ."""

import re
from collections.abc import Mapping

from slipway_runtime.store.database import Engine

Script = str | Mapping[Engine, str]


def statements(script: Script, engine: Engine) -> list[str]:
    """The statements of a script for one of the engines."""
    text = script if isinstance(script, str) else script[engine]
    parts = re.split(r"(?<!\\);", text)
    return [part.replace("\\;", ";") for part in parts if part.strip()]


def text_of(script: Script) -> str:
    """The script for all engines: what its digest is of."""
    return script if isinstance(script, str) else "".join(f"{engine}:{script[engine]}" for engine in sorted(script))
