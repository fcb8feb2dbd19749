"""The marks `[n]` of a text that a model writes freely: which passages it cites, while it is streamed.

Other than in `grounding`, every sentence stays: what the agent's instructions ask for need not be in a document. A
number that no passage has is dropped; the others are numbered in the order of the text, and each brings a quote of its
passage.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from slipway_runtime.agents.grounding import NO_ANSWER
from slipway_runtime.agents.marks import FENCE, is_mark, numbers_of
from slipway_runtime.agents.passages import GivenPassage
from slipway_runtime.events import Citation
from slipway_runtime.knowledge.retrieval.extractive import ABSTENTION

MARK = re.compile(r"\[(\d{1,4}(?:\s?,\s?\d{1,4})*)\]")
BEGINS_MARK = re.compile(r"\[[\d,\s]{0,40}")
SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+|\n")
SENTENCE_CHARACTERS = 400
Piece = tuple[str, tuple[Citation, ...]]
"""Text to be shown, and the sources that it is the first to cite."""


@dataclass
class Citing:
    """Takes a text in pieces.

    Args:
        passages: what the model was given; without any, the text stays as it is.
        may_abstain: whether `NO_ANSWER` alone means that there is no answer.
    """

    passages: Sequence[GivenPassage] = ()
    may_abstain: bool = False
    text: str = ""
    """What is to be shown so far."""
    sources: list[Citation] = field(default_factory=list)
    abstained: bool = False
    _held: str = ""
    _numbers: dict[int, int] = field(default_factory=dict)

    def feed(self, piece: str) -> Iterator[Piece]:
        """Take the next piece, and give what is certain by now."""
        self._held += piece
        if self.may_abstain and not self.text and NO_ANSWER.startswith(_bare(self._held)):
            return
        yield from self._certain(last=False)

    def end(self) -> Iterator[Piece]:
        """Give the rest."""
        if self.may_abstain and not self.text and _bare(self._held) == NO_ANSWER:
            self.abstained, self._held, self.text = True, "", ABSTENTION
            yield ABSTENTION, ()
            return
        yield from self._certain(last=True)

    def whole(self, text: str) -> str:
        """A whole text, as it is to be shown."""
        return "".join(shown for piece in (self.feed(text), self.end()) for shown, _ in piece)

    def _certain(self, *, last: bool) -> Iterator[Piece]:
        while self._held:
            start = self._held.find("[") if self.passages else -1
            before = self._held if start < 0 else self._held[:start]
            # The space before a mark goes with it if it is dropped.
            shown = before if last and start < 0 else before.rstrip(" ")
            if shown:
                yield self._show(shown)
            self._held = self._held[len(shown) :]
            if start < 0:
                return
            bracket = self._held.lstrip(" ")
            if mark := MARK.match(bracket):
                space = self._held[: len(self._held) - len(bracket)]
                self._held = bracket[mark.end() :]
                if self._in_code() or not is_mark(numbers_of(mark), [each.number for each in self.passages]):
                    yield self._show(space + mark[0])
                else:
                    yield from self._cite(space, mark)
            elif not last and BEGINS_MARK.fullmatch(bracket):
                return
            else:
                shown = self._held[: len(self._held) - len(bracket) + 1]
                self._held = self._held[len(shown) :]
                yield self._show(shown)

    def _in_code(self) -> bool:
        """Whether the text stands between fences, or in backticks."""
        return self.text.count(FENCE) % 2 == 1 or self.text.rpartition("\n")[2].replace(FENCE, "").count("`") % 2 == 1

    def _show(self, text: str, new: tuple[Citation, ...] = ()) -> Piece:
        self.text += text
        return text, new

    def _cite(self, space: str, mark: re.Match[str]) -> Iterator[Piece]:
        known = {each.number: each for each in self.passages}
        cited = [known[number] for number in numbers_of(mark) if number in known]
        if not cited:
            return
        sentence = SENTENCE_ENDS.split(self.text[-SENTENCE_CHARACTERS:].rstrip())[-1]
        new = tuple(self._source(each, sentence) for each in cited if each.number not in self._numbers)
        numbers = sorted({self._numbers[each.number] for each in cited})
        yield self._show(space + " ".join(f"[{number}]" for number in numbers), new)

    def _source(self, passage: GivenPassage, sentence: str) -> Citation:
        source = passage.citation(sentence)
        self.sources.append(source)
        self._numbers[passage.number] = len(self.sources)
        return source


def _bare(text: str) -> str:
    return text.strip(" \n.*`\"'")


def marked(output: Any, citing: Citing) -> Any:
    """Output whose texts have their marks resolved."""
    if isinstance(output, str):
        before = len(citing.text)
        citing.whole(output)
        return citing.text[before:]
    if isinstance(output, dict):
        return {name: marked(child, citing) for name, child in output.items()}
    return [marked(child, citing) for child in output] if isinstance(output, list) else output
