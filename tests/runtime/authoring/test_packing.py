"""A plugin's folder becomes manifests: its files in ConfigMaps, their digest and signature in the Plugin."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from slipway_runtime.authoring.packing import CannotPack, pack
from slipway_runtime.cli import app
from slipway_runtime.plugins.signing import TrustedKey, digest_of, new_key_pair, verify

MANIFEST = """\
# Counts words.
apiVersion: slipway.dev/v1alpha1
kind: Plugin
metadata: {name: words, namespace: demo}
spec:
  type: python
  python:
    module: {name: words-code, key: words.py}
  digest: sha256:0000  # of words.py
  config: {unit: word}
"""
CODE = 'def count(text):\n    """Zähle."""\n    return len(text.split())\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plugin.yaml").write_text(MANIFEST)
    (tmp_path / "words.py").write_text(CODE)
    return tmp_path


def test_the_code_and_its_digest(folder: Path) -> None:
    digest = digest_of(CODE.encode())
    assert pack(folder).digest == digest
    assert (folder / "plugin.yaml").read_text() == MANIFEST.replace("sha256:0000", digest), "nothing else is changed"
    (made,) = yaml.safe_load_all((folder / "code.yaml").read_text())
    assert made["metadata"] == {"name": "words-code", "namespace": "demo"}
    assert made["data"] == {"words.py": CODE}
    before = [(folder / name).read_bytes() for name in ("plugin.yaml", "code.yaml")]
    pack(folder)
    assert [(folder / name).read_bytes() for name in ("plugin.yaml", "code.yaml")] == before


def test_bytes_that_are_no_text_are_kept(folder: Path) -> None:
    (folder / "words.py").write_bytes(b"\0asm\xff")
    pack(folder)
    (made,) = yaml.safe_load_all((folder / "code.yaml").read_text())
    assert (made["binaryData"], "data" in made) == ({"words.py": "AGFzbf8="}, False)


def test_a_signature_is_added_with_its_key_and_renewed(folder: Path) -> None:
    pair, other = new_key_pair(), new_key_pair()
    for content in (CODE, CODE + "\n"):
        (folder / "words.py").write_text(content)
        pack(folder, private_key=pair.private)
        spec = yaml.safe_load((folder / "plugin.yaml").read_text())["spec"]
        signature = spec["signature"]
        assert [each["pem"].strip() for each in signature["keys"]] == [pair.public.decode().strip()]
        assert verify(content.encode(), signature["value"], [TrustedKey(pem=signature["keys"][0]["pem"])])
        assert spec["config"] == {"unit": "word"}
    before = signature["value"]
    pack(folder, private_key=other.private)
    spec = yaml.safe_load((folder / "plugin.yaml").read_text())["spec"]
    assert spec["signature"]["value"] != before
    assert spec["signature"]["keys"][0]["pem"].strip() == pair.public.decode().strip(), "whom to trust is not changed"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("kind: Plugin", "kind: Agent", "has 0 Plugins"),
        ("  digest: sha256:0000  # of words.py\n", "", "has no spec.digest: add"),
        ("key: words.py", "key: other.py", "other.py cannot be read"),
        ("    module: {name: words-code, key: words.py}", "    wheel: {url: https://x}", "refers to no file"),
        ("spec:", "spec: [", "not YAML"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_written(folder: Path, before: str, after: str, words: str) -> None:
    (folder / "plugin.yaml").write_text(MANIFEST.replace(before, after))
    with pytest.raises(CannotPack, match=words):
        pack(folder)
    assert not (folder / "code.yaml").exists()


def test_what_no_config_map_holds_is_refused(folder: Path) -> None:
    (folder / "words.py").write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(CannotPack, match="more than 1 MiB"):
        pack(folder)


def test_the_command(folder: Path) -> None:
    (folder / "my.key").write_bytes(new_key_pair().private)
    result = CliRunner().invoke(app, ["plugin", "pack", str(folder), "--key", str(folder / "my.key")])
    assert result.stdout == f"words: {digest_of(CODE.encode())}, signed\n"
    wrong = CliRunner().invoke(app, ["plugin", "pack", str(folder / "nothing")])
    assert (wrong.exit_code, "give the folder of a plugin" in wrong.stderr) == (1, True)
