"""`slipway plugin new`: a folder with a plugin that works, to begin with."""

import re
from pathlib import Path

from slipway_crds.fields import NAME_MAX, NAME_PATTERN, matches
from slipway_runtime.authoring.types import NewPluginType

TEMPLATES = Path(__file__).parent / "templates"


class CannotBegin(Exception):
    """The text says what to do."""


def start(name: str, kind: NewPluginType, *, parent: Path) -> list[Path]:
    """Write the folder of a new plugin. Returns its files.

    Raises:
        CannotBegin: if the name is none, or there is such a folder.
    """
    if not matches(NAME_PATTERN, name) or len(name) > NAME_MAX:
        raise CannotBegin(f"{name} is no name: use lower-case letters, digits and dashes, at most {NAME_MAX} of them")
    folder, module = parent / name, name.replace("-", "_")
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise CannotBegin(f"{folder} exists: choose another name, or move it away") from None
    made = []
    for file in sorted(path for path in (TEMPLATES / kind).rglob("*") if path.is_file()):
        if "__pycache__" in file.parts:
            continue
        target = folder / str(file.relative_to(TEMPLATES / kind)).replace("MODULE", module)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = re.sub(r"\bNAME\b", name, file.read_text()).replace("NAME-code", f"{name}-code")
        target.write_text(text.replace("MODULE", module))
        made.append(target)
    return made
