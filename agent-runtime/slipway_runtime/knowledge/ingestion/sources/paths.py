"""Which files of a source are documents: patterns like `docs/**/*.md`."""

import re
from collections.abc import Callable, Sequence
from functools import cache

_PARTS = re.compile(r"\*\*/|\*\*|\*|\?|[^*?]+")


def chosen(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Whether a path, with `/` between its parts, matches one of the patterns."""
    return lambda path: any(_pattern(each).fullmatch(path) is not None for each in patterns)


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    """`*` and `?` stay within a part, `**` does not. None of them stands for a dot at the beginning of a part."""
    undotted = r"(?!(?<![^/])\.)"
    folders = r"(?:(?!\.)[^/]+/)*"
    words = {
        "**/": folders,
        "**": f"{folders}{undotted}[^/]+",
        "*": f"{undotted}[^/]*",
        "?": f"{undotted}[^/]",
    }
    parts = _PARTS.findall(re.sub(r"(\*\*/)+", "**/", pattern))
    return re.compile("".join(words.get(part) or re.escape(part) for part in parts), re.DOTALL)
