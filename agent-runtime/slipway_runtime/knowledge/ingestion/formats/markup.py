"""HTML to Markdown: what a reader of the page sees, with its headings, lists, tables and code."""

import re

from bs4 import BeautifulSoup, Tag
from markdownify import MarkdownConverter

from slipway_runtime.knowledge.ingestion.formats.parsed import Media, Parsed, cleaned

UNSEEN = ("script", "style", "template", "noscript", "svg", "iframe", "nav", "img")
"""Elements that hold no words of the page, or lead to other pages."""
SPARE_LINES = re.compile(r"\n{3,}")


def to_markdown(soup: BeautifulSoup | Tag) -> str:
    """The Markdown of an element."""
    converter = MarkdownConverter(
        heading_style="ATX", bullets="-", table_infer_header=True, escape_underscores=False, escape_asterisks=False
    )
    return SPARE_LINES.sub("\n\n", cleaned(converter.convert_soup(soup))).strip() + "\n"


def _named(soup: BeautifulSoup, *names: str) -> str:
    """What the first of these `meta` elements says."""
    for name in names:
        for attribute in ("name", "property", "http-equiv"):
            found = soup.find("meta", attrs={attribute: re.compile(f"^{re.escape(name)}$", re.I)})
            content = found.get("content") if isinstance(found, Tag) else None
            if isinstance(content, str) and content.strip():
                return cleaned(content.strip())
    return ""


def read_html(content: bytes) -> Parsed:
    """A page. Of one that says which part is its main one, that part; scripts, styles and navigation are left out."""
    soup = BeautifulSoup(content, "lxml")
    title = cleaned(soup.title.get_text(" ", strip=True)) if soup.title else ""
    metadata = {
        "title": title,
        "author": _named(soup, "author"),
        "modified": _named(soup, "article:modified_time", "last-modified"),
    }
    for each in soup.find_all(UNSEEN):
        each.decompose()
    mains = soup.find_all("main") or soup.find_all("article")
    body = mains[0] if len(mains) == 1 else soup.body or soup
    return Parsed(
        text=to_markdown(body),
        media=Media.MARKDOWN,
        title=title,
        metadata={name: value for name, value in metadata.items() if value},
    )
