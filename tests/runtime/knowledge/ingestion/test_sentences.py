"""Sentences are found where a reader sees them, and lose no character."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_runtime.knowledge.ingestion.sentences import split_sentences


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("It waits... Then it goes on.", ["It waits...", "Then it goes on."]),
        ('"Really?" he asked. (Yes.) Good.', ['"Really?" he asked.', "(Yes.) Good."]),
        ("He said “stop.” They stopped.", ["He said “stop.”", "They stopped."]),
        ("A line\nthat goes on. Another\none.", ["A line\nthat goes on.", "Another\none."]),
        ("  spaces around.  Here too.  ", ["spaces around.", "Here too."]),
        ("你好。世界！", ["你好。", "世界！"]),
        ("**Bold.** Next.", ["**Bold.**", "Next."]),
        ("Done. `make down` removes it.", ["Done.", "`make down` removes it."]),
        ("Spaced out . Like this .", ["Spaced out .", "Like this ."]),
        ("", []),
        (" \n ", []),
        ("...", ["..."]),
    ],
)
def test_sentences_are_split(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Dr. Smith met J. R. Brown.",
        "Use e.g. Postgres, i.e. a server.",
        "See Fig. 3 and No. 5.",
        "Version 1.34 of Kubernetes.",
        "Open https://example.org/a.b.html now.",
        "The U.S. Army moved.",
        "Cats vs. Dogs.",
        "On Jan. 5 it froze.",
        "Use approx. 10 GB.",
        "It ends with etc. and goes on.",
    ],
)
def test_one_sentence_stays_one(text: str) -> None:
    assert len(sentences(text)) == 1


@pytest.mark.parametrize(
    ("language", "text", "count"),
    [
        ("de", "Das kostet ca. 3,5 Mio. Euro. Es gilt ab dem 3. Mai 2024.", 2),
        ("de", "Herr Dr. Müller kommt, z. B. morgen. Danach u. a. auch Frau Schmidt.", 2),
        ("de", "Im 19. Jahrhundert war das so. Die 2. Auflage nicht.", 2),
        ("de", "Er sagte: „Nein.“ Dann ging er. Vgl. S. 12 ff. des Berichts.", 3),
        ("fr", "M. Dupont est arrivé. Mme. Durand aussi.", 2),
        ("fr", "Il a dit « Bonjour. » Puis il est parti le 1er janv. 2024.", 2),
        ("fr", "Dr. Martin, cf. fig. 3. Ensuite non.", 2),
        ("en", "He left at 5 p.m. on Jan. 5. Then it rained.", 2),
    ],
)
def test_abbreviations_and_dates_end_no_sentence(language: str, text: str, count: int) -> None:
    assert len(split_sentences(text, language)) == count


def test_full_stops_in_code_end_no_sentence() -> None:
    text = "Call a. B in code. Then go."
    assert [text[slice(*span)] for span in split_sentences(text, code=[(5, 9)])] == ["Call a. B in code.", "Then go."]


def test_a_long_line_is_split_in_linear_time() -> None:
    text = "A short sentence. " * 50_000
    assert len(split_sentences(text)) == 50_000


@given(st.text(alphabet=st.sampled_from("aB1.!?。 \n\"'`()[]*_é"), max_size=80))
def test_no_character_is_lost_and_none_is_in_two(text: str) -> None:
    spans = split_sentences(text)
    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    gaps = [*(start for start, _ in spans), len(text)]
    ends = [0, *(end for _, end in spans)]
    assert all(not text[end:start].strip() for end, start in zip(ends, gaps, strict=True))
