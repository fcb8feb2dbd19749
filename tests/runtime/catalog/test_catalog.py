"""A catalogue from its making to an installed manifest, and what is refused on the way."""

import functools
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from slipway_runtime.cli import app
from slipway_runtime.plugins.signing import digest_of, new_key_pair, sign

RUNNER = CliRunner()
PLUGIN = """\
apiVersion: slipway.dev/v1alpha1
kind: Plugin
metadata:
  name: {name}
  annotations:
    catalog.slipway.dev/version: "{version}"
    catalog.slipway.dev/description: {description}
    catalog.slipway.dev/author: Ann
    catalog.slipway.dev/keywords: time, zone
    catalog.slipway.dev/slipway: "{slipway}"
spec: {{type: mcp, mcp: {{serviceRef: {{name: clock, port: 9000}}}}}}
"""
AGENT = """\
apiVersion: slipway.dev/v1alpha1
kind: Agent
metadata: {name: clock, annotations: {catalog.slipway.dev/version: "1.0"}}
spec: {description: Knows the time., knowledge: [{name: times, indexRef: {name: times}}]}
"""


def plugin(version: str, *, name: str = "clock", slipway: str = "", description: str = "Says the time") -> str:
    return PLUGIN.format(name=name, version=version, slipway=slipway, description=description)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A signed catalogue, with its keys beside it."""
    pair = new_key_pair()
    (tmp_path / "signing.key").write_bytes(pair.private)
    (tmp_path / "signing.pub").write_bytes(pair.public)
    folder = tmp_path / "catalog"
    (folder / "clock").mkdir(parents=True)
    for version, slipway in (("1.0.0", ""), ("1.10.0", ">=0.1"), ("1.9.0", ""), ("2.0.0", ">=99"), ("2.0.0rc1", "")):
        (folder / "clock" / f"{version}.yaml").write_text(plugin(version, slipway=slipway))
    (folder / "agent.yaml").write_text(AGENT)
    (folder / "feed.yaml").write_text(plugin("1", name="feed", description="Reads news"))
    result = index(folder)
    assert result.exit_code == 0, result.stderr
    return folder


def index(folder: Path) -> Result:
    key = str(folder.parent / "signing.key")
    return RUNNER.invoke(app, ["catalog", "index", str(folder), "--key", key, "--name", "Ann's"])


def run(folder: Path | str, word: str, *arguments: str, key: Path | None = None) -> Result:
    key = key or Path(folder).parent / "signing.pub"
    return RUNNER.invoke(app, ["catalog", word, *arguments, "--catalog", str(folder), "--key", str(key)])


def test_search_finds_by_every_word(made: Path) -> None:
    assert run(made, "search").stdout.splitlines() == [
        "Agent/clock 1.0  Knows the time.",
        "Plugin/clock 1.10.0  Says the time",
        "Plugin/feed 1  Reads news",
    ]
    assert run(made, "search", "ZONE", "news").stdout.splitlines() == ["Plugin/feed 1  Reads news"]
    assert run(made, "search", "nothing").stdout == ""


def test_show_lists_versions_with_what_they_work_with(made: Path) -> None:
    shown = run(made, "show", "plugin/clock").stdout
    assert "by Ann" in shown
    (line,) = (line for line in shown.splitlines() if line.startswith("  2.0.0 "))
    assert "Slipway >=99; not with this Slipway" in line
    ambiguous = run(made, "show", "clock")
    assert (ambiguous.exit_code, "Agent/clock or Plugin/clock" in ambiguous.stderr) == (1, True)


def test_install_writes_the_newest_manifest_that_works_here(made: Path, tmp_path: Path) -> None:
    target = tmp_path / "mine"
    result = run(made, "install", "Plugin/clock", "--to", str(target))
    assert result.exit_code == 0, result.stderr
    written = target / "plugin-clock.yaml"
    assert written.read_text() == plugin("1.10.0", slipway=">=0.1")
    assert digest_of(written.read_bytes()) in result.stdout
    assert run(made, "install", "Plugin/clock", "--to", str(target)).exit_code == 0, "the same again is fine"
    other = run(made, "install", "Plugin/clock==1.9.0", "--to", str(target))
    assert (other.exit_code, "move it away" in other.stderr) == (1, True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing", "no nothing: look for it"),
        ("Plugin/clock==3", "there are 1.0.0, 1.10.0"),
        ("Plugin/clock==2.0.0", "needs Slipway >=99"),
    ],
)
def test_what_cannot_be_installed_is_said(made: Path, tmp_path: Path, name: str, words: str) -> None:
    result = run(made, "install", name, "--to", str(tmp_path / "mine"))
    assert (result.exit_code, words in result.stderr) == (1, True)
    assert not (tmp_path / "mine").exists()


def test_a_tampered_index_is_not_looked_at(made: Path) -> None:
    file = made / "index.json"
    file.write_bytes(file.read_bytes().replace(b"Reads news", b"Reads mail"))
    for word in (["search"], ["show", "feed"], ["install", "feed"], ["verify"]):
        result = run(made, *word)
        assert (result.exit_code, "the catalogue is refused" in result.stderr, result.stdout) == (1, True, "")


def test_an_index_of_somebody_else_is_refused(made: Path, tmp_path: Path) -> None:
    (tmp_path / "other.pub").write_bytes(new_key_pair().public)
    result = run(made, "search", key=tmp_path / "other.pub")
    assert (result.exit_code, "signed with another key" in result.stderr) == (1, True)


def test_a_tampered_manifest_is_refused(made: Path, tmp_path: Path) -> None:
    assert run(made, "verify").stdout == "Ann's: verified, 7 manifests\n"
    (made / "feed.yaml").write_text(plugin("1", name="feed", description="Reads mail"))
    verified = run(made, "verify")
    assert (verified.exit_code, "Plugin feed 1 is refused" in verified.stderr) == (1, True)
    assert run(made, "install", "feed", "--to", str(tmp_path / "mine")).exit_code == 1
    assert not (tmp_path / "mine").exists()


def test_an_index_leads_to_no_file_outside(made: Path) -> None:
    """Not even one that its owner signed."""
    content = json.loads((made / "index.json").read_bytes())
    content["entries"][0]["versions"][0]["manifest"] = "../../etc/passwd"
    changed = json.dumps(content).encode()
    (made / "index.json").write_bytes(changed)
    (made / "index.json.sig").write_text(sign(changed, (made.parent / "signing.key").read_bytes()))
    result = run(made, "search")
    assert (result.exit_code, "entries.0.versions.0.manifest" in result.stderr) == (1, True)


def test_words_of_strangers_do_nothing_to_the_terminal(made: Path) -> None:
    (made / "feed.yaml").write_text(plugin("1", name="feed", description='"\\e]0;owned\\a"'))
    assert index(made).exit_code == 0
    assert "\x1b" not in run(made, "search", "feed").stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "is no manifest"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n", "has no Plugin, Agent or Workflow"),
        (
            PLUGIN.replace("version:", "nothing:").format(name="x", version="1", slipway="", description="x"),
            "add the ann",
        ),
        (plugin("1.0.0"), "is there twice"),
        (plugin("one"), "is no version"),
        (plugin("1", name="x").replace("type: mcp", "type: nothing"), "is not valid"),
    ],
    ids=["no YAML", "nothing of ours", "no version", "twice", "a bad version", "not valid"],
)
def test_what_makes_no_index_is_said(made: Path, text: str, words: str) -> None:
    (made / "more.yaml").write_text(text)
    result = index(made)
    assert (result.exit_code, words in result.stderr) == (1, True), result.stderr


@pytest.fixture
def served(made: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base names it so)
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(made))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_catalogue_over_http(made: Path, served: str, tmp_path: Path) -> None:
    key = made.parent / "signing.pub"
    for address in (served, f"{served}/index.json"):
        assert "3 " not in run(address, "search", "feed", key=key).stderr
        assert "Plugin/feed 1" in run(address, "search", "feed", key=key).stdout
    assert run(served, "install", "feed", "--to", str(tmp_path / "mine"), key=key).exit_code == 0
    missing = run(f"{served}/nowhere", "search", key=key)
    assert (missing.exit_code, "answered 404" in missing.stderr) == (1, True)
    plain = run("http://catalog.example.com", "search", key=key)
    assert (plain.exit_code, "no https address" in plain.stderr) == (1, True)
