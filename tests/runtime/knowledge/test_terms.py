"""What counts as a word, and what as an identifier that means itself."""

import pytest

from slipway_runtime.knowledge.terms import identifiers, stem, terms


def named(question: str) -> list[set[str]]:
    return [set(each.spellings) for each in identifiers(question)]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What does E-1042 mean?", [{"e1042"}]),
        ("what does e1042 mean", [{"e1042"}]),
        ("The display shows E 1042.", [{"e1042"}]),
        ("Why do I get error 1042?", [{"1042"}]),
        ("What is ERR_CONN_RESET?", [{"errconnreset"}]),
        ("Is min_score a share?", [{"minscore"}]),
        ("When do I see IndexNotReady?", [{"indexnotready"}]),
        ("Where is PN 4711-02 built in?", [{"4711ǀ02", "pn4711ǀ02"}]),
        ("Is it certified under ISO 27001?", [{"27001", "iso27001"}]),
        ("HTTP 404, what now?", [{"404", "http404"}]),
        ("Does 0x8007001F stop it?", [{"0x8007001f"}]),
        ("Can I reach 10.0.0.1?", [{"10ǀ0ǀ0ǀ1"}]),
        ("What is ECONN-RESET and E5?", [{"econnreset"}, {"e5"}]),
    ],
)
def test_identifiers_are_recognised_in_questions(question: str, expected: list[set[str]]) -> None:
    assert named(question) == expected


@pytest.mark.parametrize(
    "question",
    [
        "What happened in 1998?",
        "Does the 24-hour pause end after 24h, on the 2nd day?",
        "Which APIs do PDFs need on k8s?",
        "How much is 12.50, and half of 3/4?",
        "What is a near-miss in all-day use?",
    ],
)
def test_what_has_other_spellings_is_no_identifier(question: str) -> None:
    assert named(question) == []


@pytest.mark.parametrize(
    ("asked", "document"),
    [
        ("E1042", "| E-1042 | Overheated |"),
        ("error 1042", "E-1042: overheated"),
        ("PN4711-02", "PN 4711-02"),
        ("4711-02", "PN 4711-02"),
        ("min_score", "`minScore`"),
        ("err_conn_reset", "ERR_CONN_RESET"),
        ("ISO 27001", "ISO/IEC 27001"),
    ],
)
def test_spellings_meet(asked: str, document: str) -> None:
    [one] = identifiers(asked)
    assert not one.spellings.isdisjoint(terms(document))


@pytest.mark.parametrize(
    ("asked", "document"),
    [
        ("E-1042", "E-1043, E-104, E-10421, F-1042 and 1042"),
        ("4711-02", "4711-03, 47-1102, 471102"),
        ("ERR_CONN_RESET", "ERR_CONN_CLOSED, CONN_RESET"),
    ],
)
def test_others_do_not(asked: str, document: str) -> None:
    [one] = identifiers(asked)
    assert one.spellings.isdisjoint(terms(document))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("configure configures configured configuring", "configur"),
        ("stop stops stopped stopping", "stop"),
        ("policy policies", "policy"),
        ("index indexes", "index"),
        ("status", "status"),
        ("größe", "größe"),
    ],
)
def test_endings_do_not_matter(words: str, expected: str) -> None:
    assert {stem(word) for word in words.split()} == {expected}


def test_words_that_say_nothing_are_no_terms() -> None:
    assert terms("What is the meaning of it?") == ["meaning".removesuffix("ing")]
    assert terms("") == []
