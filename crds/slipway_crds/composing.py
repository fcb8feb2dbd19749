"""YAML text to nodes, within bounds.

An alias costs four characters and stands for a value of any size, so a text of 579 bytes can describe more than fits
into memory. Whatever reads the values later may write the aliases out, so they are counted as if they were. Nodes are
composed here rather than by libyaml, which does it by recursion and without bounds.
"""

from dataclasses import dataclass, field

import yaml

DEEPEST = 100
"""Levels of nesting that anybody would write; no object of ours has a tenth of them."""
MOST_VALUES = 500_000
"""Values in one file (keys, texts, numbers, lists and mappings), with aliases written out."""
MOST_CHARACTERS = 32 * 1024 * 1024
"""Characters in one file, with aliases written out. An API server takes objects of at most 3 MiB."""
MOST_DOCUMENTS = 10_000
"""Documents in one file, empty ones included. Each costs time, and `---` alone makes one."""
LONGEST_KEY = 1024
"""Characters of a key. The longest one that Kubernetes allows anywhere has 317."""

TAG = "tag:yaml.org,2002:"
PLAIN = TAG + "plain"
"""Our tag of what is neither quoted nor tagged, so that its meaning is `resolve_scalar`'s business alone."""


class UnreadableYaml(ValueError):
    """A text that is no YAML or exceeds a bound. `line` counts from 1; 0 where it is not known."""

    def __init__(self, message: str, *, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, eq=False)
class Scalar:
    """A text with what its tag says about it, `PLAIN` for none. `line` counts from 1."""

    text: str
    tag: str
    line: int


@dataclass(eq=False)
class Sequence:
    """A list. `line` counts from 1."""

    line: int
    children: list["Node"] = field(default_factory=list)


@dataclass(eq=False)
class Mapping:
    """Keys and values, in order, as they are written. `line` counts from 1."""

    line: int
    pairs: list[tuple["Node", "Node"]] = field(default_factory=list)


Node = Scalar | Sequence | Mapping


def compose(text: str) -> list[Node]:
    """The root node of each document. A node that an alias names is the same object wherever it is.

    Raises:
        UnreadableYaml: if the text is not YAML or exceeds a bound.
    """
    if len(text) > MOST_CHARACTERS:
        raise UnreadableYaml(f"this file has more than {MOST_CHARACTERS} characters: split it")
    composer = _Composer()
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            composer.take(event)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise UnreadableYaml(f"this is not YAML: {error.problem}", line=line) from error
    except yaml.YAMLError as error:
        raise UnreadableYaml(f"this is not YAML: {error}") from error
    return composer.roots


@dataclass
class _Open:
    """A list or mapping whose end has not been read. `values` and `characters` are what was counted before it."""

    node: Sequence | Mapping
    anchor: str | None
    values: int
    characters: int
    key: Node | None = None
    """Of a mapping: the key whose value comes next."""


@dataclass(frozen=True)
class _Anchored:
    """A node that aliases may name, and what writing it out adds."""

    node: Node
    values: int = 0
    characters: int = 0


class _Composer:
    """Takes events one by one and keeps count of what they amount to with aliases written out."""

    def __init__(self) -> None:
        self.roots: list[Node] = []
        self._open: list[_Open] = []
        self._anchored: dict[str, _Anchored] = {}
        self._documents = 0
        self._values = 0
        self._characters = 0

    def take(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 0
        match event:
            case yaml.DocumentStartEvent():
                self._document(line)
            case yaml.AliasEvent():
                self._alias(str(event.anchor), line)
            case yaml.ScalarEvent():
                self._scalar(event, line)
            case yaml.SequenceStartEvent():
                self._begin(Sequence(line), event.anchor)
            case yaml.MappingStartEvent():
                self._begin(Mapping(line), event.anchor)
            case yaml.CollectionEndEvent():
                self._end()

    def _document(self, line: int) -> None:
        self._anchored = {}
        self._documents += 1
        if self._documents > MOST_DOCUMENTS:
            raise UnreadableYaml(f"this file has more than {MOST_DOCUMENTS} documents: split it", line=line)

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        tag = event.tag if event.tag not in (None, "!") else PLAIN if event.implicit[0] else TAG + "str"
        node = Scalar(event.value, tag, line)
        self._count(line, 1, len(event.value))
        if event.anchor:
            self._anchored[event.anchor] = _Anchored(node, 1, len(event.value))
        self._place(node)

    def _begin(self, node: Sequence | Mapping, anchor: str | None) -> None:
        if len(self._open) == DEEPEST:
            raise UnreadableYaml(f"this is nested deeper than {DEEPEST} levels: write it flatter", line=node.line)
        self._open.append(_Open(node, anchor, self._values, self._characters))
        self._count(node.line, 1, 0)
        if anchor:
            self._anchored[anchor] = _Anchored(node)  # an alias in itself is for the reader to refuse

    def _end(self) -> None:
        done = self._open.pop()
        if done.anchor:
            added = self._values - done.values, self._characters - done.characters
            self._anchored[done.anchor] = _Anchored(done.node, *added)
        self._place(done.node)

    def _alias(self, name: str, line: int) -> None:
        anchored = self._anchored.get(name)
        if anchored is None:
            raise UnreadableYaml(f"this is not YAML: nothing before it is called &{name[:60]}", line=line)
        self._count(line, anchored.values, anchored.characters)
        self._place(anchored.node)

    def _count(self, line: int, values: int, characters: int) -> None:
        self._values += values
        self._characters += characters
        for counted, most, word in (
            (self._values, MOST_VALUES, "values"),
            (self._characters, MOST_CHARACTERS, "characters"),
        ):
            if counted > most:
                raise UnreadableYaml(
                    f"up to here this file has more than {most} {word} with its aliases (*name) written out:"
                    " use fewer aliases, or split it",
                    line=line,
                )

    def _place(self, node: Node) -> None:
        if not self._open:
            self.roots.append(node)
            return
        within = self._open[-1]
        if isinstance(within.node, Sequence):
            within.node.children.append(node)
        elif within.key is None:
            if isinstance(node, Scalar) and len(node.text) > LONGEST_KEY:
                raise UnreadableYaml(f"this key is longer than {LONGEST_KEY} characters", line=node.line)
            within.key = node
        else:
            within.node.pairs.append((within.key, node))
            within.key = None
