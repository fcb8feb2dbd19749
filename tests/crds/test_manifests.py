"""Manifests are read as Kubernetes reads them. What is expected here was seen on a real API server (1.34)."""

from pathlib import Path
from typing import Any

import pytest

from slipway_crds.manifests import ManifestError, format_place, load_paths, load_text, manifest_files, resolve_scalar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(word, True) for word in ("y", "Y", "yes", "on", "On", "true", "TRUE")],
        *[(word, False) for word in ("n", "N", "no", "off", "OFF", "false")],
        *[(word, None) for word in ("", "~", "null", "NULL")],
        *[(text, 5) for text in ("5", "5.0", "+5", "05", "0x5", "0o5", "0b101", ".5e1", "5e0", "5.")],
        *[("08", 8), ("017", 15), ("5_0", 50), ("1_0.0", 10), ("-0x10", -16), ("1e21", 1e21), ("0.45", 0.45)],
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
        ("!foo bar", "bar"),
        ("!!binary aGVsbG8=", "hello"),
        ("|\n  on\n", "on\n"),
        ("{on: 1, 7: 2}", {"true": 1, "7": 2}),
        ("{a: &x {b: 1}, c: *x}", {"a": {"b": 1}, "c": {"b": 1}}),
        ("{a: 1, <<: {b: 2}}", {"a": 1, "b": 2}),
        ("{<<: [{a: 1}, {a: 2, b: 3}]}", {"a": 1, "b": 3}),
        ("{'<<': 1}", {"<<": 1}),
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


def test_many_aliases_of_one_node_cost_nothing() -> None:
    lines = ["a0: &a0 x"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    (document,) = load_text("\n".join(lines))
    assert isinstance(document.value, dict)
    assert len(document.value) == 30


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
    with pytest.raises(ManifestError, match="cannot be read"):
        load_paths([tmp_path])


def test_places_read_as_kubernetes_writes_them() -> None:
    assert format_place(("spec", "knowledge", 0, "indexRef", "name")) == "spec.knowledge[0].indexRef.name"
    assert format_place(()) == ""
