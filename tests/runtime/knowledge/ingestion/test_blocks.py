"""Markdown is taken apart into what can be quoted, with the headings above it."""

import pytest

from slipway_runtime.knowledge.ingestion.blocks import blocks
from slipway_runtime.knowledge.ingestion.formats.parsed import Media
from slipway_runtime.knowledge.ingestion.front_matter import front_matter_of
from slipway_runtime.knowledge.pieces import PieceKind

DOCUMENT = """---
title: Front
---
# Top *one*

Intro text here. Second
line of it.

- item one
  more of it
- [ ] item two
  1. nested

> quoted
> more

```bash
make demo
make down
```

    indented code

| name | value |
|------|:-----:|
| a    | 1     |

<!-- a comment -->

## Sub `code`

text

# Another top

last
"""


def found(text: str, media: Media = Media.MARKDOWN) -> list[tuple[PieceKind, str, str]]:
    begins = front_matter_of(text).end
    every = blocks(text, media, begins=begins)
    return [(block.kind, text[block.start : block.end], block.heading) for block in every if not block.title]


def test_every_kind_of_block_is_found_with_its_heading() -> None:
    assert found(DOCUMENT) == [
        (PieceKind.SENTENCE, "Intro text here. Second\nline of it.", "Top one"),
        (PieceKind.SENTENCE, "item one\n  more of it", "Top one"),
        (PieceKind.SENTENCE, "item two", "Top one"),
        (PieceKind.SENTENCE, "nested", "Top one"),
        (PieceKind.SENTENCE, "quoted\n> more", "Top one"),
        (PieceKind.CODE, "make demo\nmake down", "Top one"),
        (PieceKind.CODE, "indented code", "Top one"),
        (PieceKind.ROW, "name | value", "Top one"),
        (PieceKind.ROW, "a    | 1", "Top one"),
        (PieceKind.SENTENCE, "text", "Top one > Sub code"),
        (PieceKind.SENTENCE, "last", "Another top"),
    ]


def test_long_code_is_cut_into_readable_parts() -> None:
    text = "```\n" + "".join(f"line {number}\n" for number in range(30)) + "```\n"
    parts = [part for kind, part, _ in found(text) if kind is PieceKind.CODE]
    assert "\n".join(parts).split("\n") == [f"line {number}" for number in range(30)]
    assert len(parts) == 3


def test_a_fence_that_is_never_closed_keeps_its_last_line() -> None:
    assert found("```\none\ntwo") == [(PieceKind.CODE, "one\ntwo", "")]


def test_plain_text_is_paragraphs_without_headings() -> None:
    text = "# not a heading\nsecond line\n\n\n  another one  \n"
    assert found(text, Media.PLAIN) == [
        (PieceKind.SENTENCE, "# not a heading\nsecond line", ""),
        (PieceKind.SENTENCE, "another one", ""),
    ]


@pytest.mark.parametrize("text", ["", "\n\n", " ", "---\n---\n", "# Only a heading", "<!-- comment -->"])
def test_a_document_without_words_has_no_blocks(text: str) -> None:
    assert found(text) == []


def test_a_long_heading_is_shortened() -> None:
    [(_, _, heading)] = found("# " + "x" * 100_000 + "\n\ntext")
    assert len(heading) == 120


def test_headings_of_the_same_level_replace_each_other() -> None:
    headings = [
        heading for _, _, heading in found("# A\n\n## B\n\none\n\n## C\n\ntwo\n\n### D\n\nthree\n\n# E\n\nfour\n")
    ]
    assert headings == ["A > B", "A > C", "A > C > D", "E"]
