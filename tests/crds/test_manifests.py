"""Manifests are read as Kubernetes reads them. What is expected here was seen on a real API server (1.34)."""

from pathlib import Path
from typing import Any

import pytest

from slipway_crds.manifests import ManifestError, format_place, load_paths, load_text, manifest_files
from slipway_crds.scalars import resolve_scalar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(word, True) for word in ("y", "Y", "yes", "on", "On", "true", "TRUE")],
        *[(word, False) for word in ("n", "N", "no", "off", "OFF", "false")],
        *[(word, None) for word in ("", "~", "null", "NULL")],
        *[(text, 5) for text in ("5", "5.0", "+5", "05", "0x5", "0o5", "0b101", ".5e1", "5e0", "5.")],
        *[("08", 8), ("017", 15), ("5_0", 50), ("1_0.0", 10), ("-0x10", -16), ("1e21", 1e21), ("0.45", 0.45)],
        *[(text, text) for text in ("0x" + "f" * 5000, "-0x1" + "0" * 16, "0o" + "7" * 25, "1e999", "9" * 310)],
        *[("0x" + "f" * 16, 2**64 - 1), (str(2**64), 2**64), ("0" + "7" * 28, 7.777777777777778e27)],
        *[(text, text) for text in ("1:30", "2026-11-22", "0x1p2", "yEs", "1.2.3", "+", "-", "1Gi", "60s", "nil")],
    ],
)
def test_plain_scalars_follow_go_yaml(text: str, value: Any) -> None:
    resolved = resolve_scalar(text)
    assert (type(resolved), resolved) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("!!int '5'", 5),
        ("!!float 5", 5),
        ("!!float 0xff", 255),
        ("!!int -0b11", -3),
        ("!!bool 'on'", True),
        ("{a: !!null ''}", {"a": None}),
        ("!!timestamp '2026-1-02'", "2026-1-02"),
        ("!!timestamp 2026-01-02T03:04:05.6Z", "2026-01-02T03:04:05.6Z"),
        ("!!timestamp 2026-01-02 03:04:05", "2026-01-02 03:04:05"),
        ("!foo bar", "bar"),
        ("!!binary aGVsbG8=", "hello"),
        ("|\n  on\n", "on\n"),
        ("{on: 1, 7: 2}", {"true": 1, "7": 2}),
        ("{a: &x {b: 1}, c: *x}", {"a": {"b": 1}, "c": {"b": 1}}),
        ("{a: 1, <<: {b: 2}}", {"a": 1, "b": 2}),
        ("{<<: [{a: 1}, {a: 2, b: 3}]}", {"a": 1, "b": 3}),
        ("{'<<': 1}", {"<<": 1}),
        (r'{"a": "\ud83d\ude00\uD83D\uDE00"}', {"a": "\U0001f600\U0001f600"}),
        (r'{"a": "\\ud83d\\ude00 \\\ud83d\ude00"}', {"a": "\\ud83d\\ude00 \\\U0001f600"}),
        (r'{"a": "\ude00 \ud83d \u00e4"}', {"a": "\ufffd \ufffd ä"}),
    ],
)
def test_documents_become_plain_data(text: str, value: Any) -> None:
    (document,) = load_text(text)
    assert document.value == value
    assert document.problems == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: b: c", "file:1: this is not YAML"),
        ("a: 1\n\tb: 2", "file:2: this is not YAML"),
        ("a: 1\nb: .inf", "file:2: JSON has no infinity"),
        ("a: {null: 1}", "file:1: a key must not be null"),
        ("a: {[b]: 1}", "file:1: a key must be a word"),
        ("a: &a [*a]", "file:1: this alias contains itself"),
        ("a: {<<: 1}", "file:1: `<<` takes"),
        ("a: !!binary '*'", "file:1: this is not base64"),
        ("[" * 200 + "]" * 200, "file:1: this is nested deeper than 100 levels"),
        ("[" * 50000 + "]" * 50000, "this is nested deeper than 100 levels"),
    ],
)
def test_what_is_no_manifest_is_refused_with_its_line(text: str, says: str) -> None:
    with pytest.raises(ManifestError) as refused:
        load_text(text, "file")
    assert says in str(refused.value)


@pytest.mark.parametrize(
    "scalar",
    [
        *("!!int abc", "!!int 5.0", "!!int 1e3", "!!int", "!!int " + "9" * 23, "!!bool x", "!!bool 5", "!!bool"),
        *("!!null x", "!!null 0", "!!float abc", "!!float 2026-01-01", f"!!float {2**63}", "!!float"),
        *("!!timestamp x", "!!timestamp 2026-02-30", "!!timestamp 5", "!!timestamp", "!!timestamp 2026-01-02T03:04:05"),
    ],
)
def test_a_text_that_does_not_fit_its_tag_is_refused_with_its_line(scalar: str) -> None:
    with pytest.raises(ManifestError, match=r"file:2: `.*` is no !!\w+: write one, or remove the tag"):
        load_text(f"kind: A\na: {scalar}", "file")


def test_as_many_documents_as_the_bound_are_read() -> None:
    assert len(load_text("---\na: b\n" * 10_000)) == 10_000


def test_keys_given_twice_are_found_with_their_lines() -> None:
    (document,) = load_text("a:\n  b: 1\n  c: 2\n  b: 3\nd: {e: 1, <<: {e: 2}}\n")
    assert [problem.path for problem in document.problems] == ["a.b", "d.e"]
    assert document.line_of("a.b") == 2


def test_every_field_keeps_its_line_and_a_missing_one_has_its_parents() -> None:
    (_, document) = load_text("x: 1\n---\nspec:\n  list:\n  - name: a\n  - name: b\n")
    assert document.line == 3
    assert [document.line_of(path) for path in ("spec.list[1].name", "spec.list[1].none.at[3].all", "status", "")] == [
        6,
        6,
        3,
        3,
    ]


def test_empty_documents_are_left_out_and_lists_taken_apart() -> None:
    documents = load_text("---\n---\nkind: List\nitems:\n- kind: A\n- kind: B\n  x: 1\n  x: 2\n")
    assert [document.value for document in documents] == [{"kind": "A"}, {"kind": "B", "x": 2}]
    assert [document.line for document in documents] == [5, 6]
    assert documents[1].line_of("x") == 7
    assert [[problem.path for problem in document.problems] for document in documents] == [[], ["x"]]


BOMB = "\n".join(["a0: &a0 x"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)])
"""Small enough for a review to miss, and half a billion values once the aliases are written out."""
LONG_KEYS = "".join(f"{{{'k' * 1000}: " for _ in range(90)) + str([0] * 1000) + "}" * 90


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BOMB, "file:7: up to here this file has more than 500000 values with its aliases (*name) written out"),
        (f"x: &x {'x' * 10**6}\n" + "y: *x\n" * 40, "file:34: up to here this file has more than 33554432 characters"),
        (LONG_KEYS, "file:1: too many values stand under long keys"),
        (f"? {'k' * 2000}\n: 1", "file:1: this key is longer than 1024 characters"),
        ("x" * (32 * 1024 * 1024 + 1), "file: this file has more than 33554432 characters: split it"),
        ("a: *b", "file:1: this is not YAML: nothing before it is called &b"),
        ("a: &b 1\n---\nc: *b", "file:3: this is not YAML: nothing before it is called &b"),
        ("a:\n  topK: " + "9" * 5000, "file:2: this number has 5000 characters, 400 at most: put it in quotes"),
        ("---\n" * 300_000, "file:10001: this file has more than 10000 documents: split it"),
        ("kind: List\nitems: [" + "{}, " * 10_001 + "]", "file: this file has more than 10000 objects: split it"),
        ("a: 1." + "0" * 5000, "file:1: this number has 5002 characters"),
        ("9" * 500 + ": a", "file:1: this number has 500 characters"),
        ("a: !!int '" + "9" * 500 + "'", "file:1: this number has 500 characters"),
    ],
)
def test_what_is_out_of_bounds_is_refused_with_its_line(text: str, says: str) -> None:
    with pytest.raises(ManifestError) as refused:
        load_text(text, "file")
    assert says in str(refused.value)


def test_aliases_within_bounds_are_read_and_an_anchor_may_be_given_again() -> None:
    (document,) = load_text("a: &x [1, &y {b: 2}]\nc: *x\nd: &x 3\ne: [*x, *y]\n")
    assert document.value == {"a": [1, {"b": 2}], "c": [1, {"b": 2}], "d": 3, "e": [3, {"b": 2}]}


def test_a_quoted_number_may_be_long() -> None:
    (document,) = load_text("a: '" + "9" * 5000 + "'")
    assert document.value == {"a": "9" * 5000}


def test_the_line_of_a_field_is_found_whatever_its_key_is() -> None:
    (document,) = load_text("a: &a {'x]': {y: 1}}\nb: *a\n")
    assert document.line_of("b.x].z") == 1  # where the value is written, which an alias names


def test_folders_are_read_as_kubectl_reads_them(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text("kind: B")
    (tmp_path / "a.yaml").write_text("kind: A")
    (tmp_path / "c.json").write_text('{"kind": "C"}')
    (tmp_path / "notes.md").write_text("no manifest")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "d.yaml").write_text("kind: D")
    assert [document.value for document in load_paths([tmp_path])] == [{"kind": "A"}, {"kind": "B"}, {"kind": "C"}]


def test_paths_that_hold_nothing_are_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no such file"):
        manifest_files(tmp_path / "absent.yaml")
    with pytest.raises(ManifestError, match="holds no manifests"):
        manifest_files(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff")
    with pytest.raises(ManifestError, match="save it as UTF-8"):
        load_paths([tmp_path])


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "large.yaml").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ManifestError, match="larger than 32 MiB: split it"):
        load_paths([tmp_path])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_files_are_read_in_the_encodings_that_kubectl_takes(tmp_path: Path, encoding: str) -> None:
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    text = "kind: A\nname: Größe\n---\nkind: B\n"
    (tmp_path / "a.yaml").write_bytes((mark + text).encode(encoding))
    assert [document.value for document in load_paths([tmp_path])] == [{"kind": "A", "name": "Größe"}, {"kind": "B"}]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32"])
def test_encodings_that_kubectl_refuses_are_refused(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.yaml").write_bytes("kind: A\nname: Größe\n".encode(encoding))
    with pytest.raises(ManifestError, match=r"a\.yaml"):
        load_paths([tmp_path])


def test_places_read_as_kubernetes_writes_them() -> None:
    assert format_place(("spec", "knowledge", 0, "indexRef", "name")) == "spec.knowledge[0].indexRef.name"
    assert format_place(()) == ""
