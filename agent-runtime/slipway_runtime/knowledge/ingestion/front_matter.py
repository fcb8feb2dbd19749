"""What stands before a Markdown text and is no text: a mapping in YAML between lines of `---`, or in TOML of `+++`.

Whatever does not parse as a mapping is text, such as what stands between two thematic breaks (`---`).
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

FRONT_MATTER = re.compile(r"\A(---|\+\+\+)[ \t]*\n(.*?\n)??\1[ \t]*(?:\n|\Z)", re.DOTALL)
FRONT_MATTER_MAX = 16_384
"""Characters of front matter. What is longer is text."""


@dataclass(frozen=True)
class FrontMatter:
    """What a document says about itself."""

    values: Mapping[str, object] = field(default_factory=dict)
    end: int = 0
    """Where the text begins, in characters; 0 for a document without."""


class _PlainLoader(yaml.SafeLoader):
    """YAML without aliases: a few hundred bytes of them expand to gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read in front matter")
        return super().compose_node(parent, index)


def front_matter_of(text: str) -> FrontMatter:
    """The front matter of a Markdown text; an empty one if it has none."""
    found = FRONT_MATTER.match(text, 0, FRONT_MATTER_MAX)
    if found is None or not found[2]:
        return FrontMatter()
    try:
        if found[1] == "+++":
            values: object = tomllib.loads(found[2])
        else:
            values = yaml.load(found[2], Loader=_PlainLoader)  # a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError):
        return FrontMatter()
    if not isinstance(values, dict) or not values:
        return FrontMatter()
    return FrontMatter({str(key): value for key, value in values.items()}, found.end())


def may_be_front_matter(text: str) -> str:
    """What stands where front matter would, whether it can be read or not."""
    found = FRONT_MATTER.match(text)
    return (found[2] or "") if found else ""
