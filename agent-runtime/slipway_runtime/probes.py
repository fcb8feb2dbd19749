"""What `/readyz` says. Whoever reaches the port may read it, so it names what is missing, but no file."""

import re
from collections.abc import Sequence

from starlette.responses import JSONResponse, Response

from slipway_crds.contract import ANSWER_WARNINGS, MISSING, PLUGIN_WARNINGS, WARNINGS

_FILE = re.compile(r"(?:(?<=sqlite:)/+|(?<![\w:/.]))(?!/(?:apis?|agents?)\b)(?:/[\w.@%+~-]+)+/?")
"""An absolute path that is no part of a URL and no path of an HTTP interface."""


def readiness(
    missing: Sequence[str],
    *,
    warnings: Sequence[str] = (),
    plugin_warnings: Sequence[str] = (),
    answer_warnings: Sequence[str] = (),
) -> Response:
    """The answer to a readiness probe.

    Args:
        missing: a sentence for each thing that is not there yet; none when ready. Texts of the system are quoted in
            them, with the files that they are about: those are for the log.
        warnings: a sentence for each thing that is wrong and may not keep it from being ready.
        plugin_warnings: likewise, for each plugin.
        answer_warnings: likewise, for each topic that answers are written to.
    """
    said = [without_files(sentence) for sentence in missing]
    body = {"ready": not said, MISSING: said}
    told = ((WARNINGS, warnings), (PLUGIN_WARNINGS, plugin_warnings), (ANSWER_WARNINGS, answer_warnings))
    for name, sentences in told:
        if sentences:
            body[name] = [without_files(sentence) for sentence in sentences]
    return JSONResponse(body, status_code=503 if said else 200)


def without_files(sentence: str) -> str:
    """A sentence without the paths of files that it names."""
    return _FILE.sub("(a file that the log names)", sentence)
