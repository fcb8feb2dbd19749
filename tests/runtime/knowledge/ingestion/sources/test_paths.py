"""Which files the patterns of a source choose."""

import pytest

from slipway_runtime.knowledge.ingestion.sources.paths import chosen


@pytest.mark.parametrize(
    ("pattern", "taken", "left"),
    [
        ("**", ["a.md", "docs/a.md", "docs/deep/a"], [".env", ".github/a.md", "docs/.hidden/a.md"]),
        ("**/*.md", ["a.md", "docs/deep/a.md"], ["a.txt", ".a.md", ".git/a.md", "md"]),
        ("docs/*.md", ["docs/a.md"], ["a.md", "docs/deep/a.md", "docs/.a.md"]),
        ("docs/**", ["docs/a.md", "docs/deep/a"], ["a.md", "docs2/a.md"]),
        ("docs/**/guide-?.md", ["docs/guide-1.md", "docs/x/y/guide-2.md"], ["docs/guide-12.md", "docs/guide-.md"]),
        (".github/*.md", [".github/a.md"], ["x.github/a.md", ".github/.a.md"]),
        ("a+(b).md", ["a+(b).md"], ["aab.md"]),
        ("**/**/**/**/**/**/*.md", ["a/b.md"], ["x" * 200 + "/" + "y/" * 100]),
    ],
)
def test_patterns_choose_files(pattern: str, taken: list[str], left: list[str]) -> None:
    matches = chosen([pattern])
    assert [each for each in (*taken, *left) if matches(each)] == taken


def test_one_of_several_patterns_is_enough() -> None:
    assert [each for each in ("a.md", "b.txt", "c.py") if chosen(["*.md", "*.txt"])(each)] == ["a.md", "b.txt"]
