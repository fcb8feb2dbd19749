"""The words of a line of Markdown, through the parser's own tree.

markdown-it gives no offsets of inline tokens. But what a token shows is in the source word for word: texts and code are
literal, entities and escapes carry what was written. So each is looked for behind the one before.
"""

import re
from collections.abc import Iterable

from markdown_it.helpers import parseLinkDestination, parseLinkTitle
from markdown_it.token import Token

from slipway_runtime.knowledge.ingestion.rendered import Rendered, Rendering

TASK = re.compile(r"\[[ xX]\][ \t]+")
"""The box of a task in a list."""
ALERT = re.compile(r"\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\][ \t]*(?=\n|\Z)")
"""The first line of a quotation that GitHub shows as an alert."""
BREAK = re.compile(r"<br[ \t]*/?>", re.IGNORECASE)
LABEL = re.compile(r"\[[^\[\]]*\]")


def render_inline(tokens: Iterable[Token], written: Rendered) -> Rendered:
    """What a reader sees of a paragraph, a heading or a cell.

    Args:
        tokens: the children of an inline token.
        written: its content, as it is written.
    """
    rendering = Rendering(written.text, written.offsets)
    left = list(tokens)
    first = left[0].content if left and left[0].type == "text" else ""
    if task := TASK.match(first):
        rendering.replaced(task[0], "")
        left[0] = left[0].copy(content=first[task.end() :])
    elif first and (alert := ALERT.match(written.text)):
        rendering.replaced(alert[0], f"{alert[1].capitalize()}:")
        left = left[1:]
    _render(left, rendering)
    return rendering.rendered().trimmed()


def _render(tokens: Iterable[Token], rendering: Rendering) -> None:
    for token in tokens:
        if token.type == "text":
            rendering.literal(token.content)
        elif token.type == "text_special":
            rendering.replaced(token.markup, token.content)
        elif token.type == "code_inline":
            _code(token, rendering)
        elif token.type in {"softbreak", "hardbreak"}:
            rendering.replaced("\n", " ")
        elif token.type == "html_inline":
            rendering.replaced(token.content, " " if BREAK.fullmatch(token.content) else "")
        elif token.type == "image":
            _render(token.children or [], rendering)
            _leave(rendering)
        elif token.type == "link_close" and token.info != "auto":
            _leave(rendering)
        elif token.type == "footnote_ref":
            rendering.replaced(f"[^{(token.meta or {}).get('label', '')}]", "")


def _code(token: Token, rendering: Rendering) -> None:
    """A span of code. Line ends in it are spaces, so it is looked for word by word."""
    if rendering.written.find(token.content, rendering.at) >= 0:
        rendering.literal(token.content, code=True)
        return
    for number, word in enumerate(token.content.split(" ")):
        if number:
            rendering.replaced("", " ", code=True)
        rendering.literal(word, code=True)


def _leave(rendering: Rendering) -> None:
    """Go behind where a link or a picture leads to: `](address "title")`, or `][label]`."""
    written = rendering.written
    at = written.find("]", rendering.at)
    if at < 0:
        return
    at += 1
    if written[at : at + 1] == "(":
        place = at + 1 + _white(written, at + 1)
        address = parseLinkDestination(written, place, len(written))
        if address.ok:
            place = address.pos
        place += _white(written, place)
        title = parseLinkTitle(written, place, len(written))
        if title.ok:
            place = title.pos
        place += _white(written, place)
        at = place + 1 if written[place : place + 1] == ")" else at
    elif label := LABEL.match(written, at):
        at = label.end()
    rendering.at = at


def _white(text: str, at: int) -> int:
    found = re.compile(r"\s*").match(text, at)
    return len(found[0]) if found else 0
