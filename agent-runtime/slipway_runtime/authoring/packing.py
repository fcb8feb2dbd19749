"""`slipway plugin pack`: the files of a plugin as ConfigMaps, with their digest and signature in its manifest.

A folder has the Plugin in `plugin.yaml`, which a person writes, and the files that it refers to by ConfigMap, under the
names of the keys. `code.yaml` is made from them, and in `plugin.yaml` only the values of `digest` and of the signature
are written anew, so that its comments stay.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from slipway_crds import configmaps
from slipway_crds.manifests import ManifestDocument, ManifestError, load_text
from slipway_runtime.plugins.signing import SignatureRefused, digest_of, public_key_of, sign

PLUGIN_FILE = "plugin.yaml"
CODE_FILE = "code.yaml"
MOST_BYTES = configmaps.LARGEST
"""Of a ConfigMap."""
HEADER = "# Written by `slipway plugin pack`. Change the files beside it, and pack again.\n"
CODE = (
    ("python", "module"),
    ("python", "wheel", "configMapRef"),
    ("wasm", "source", "configMapRef"),
    ("openapi", "source", "configMapRef"),
)
"""Where a Plugin's spec may refer to what it is made of."""


class CannotPack(Exception):
    """The text says what to do."""


@dataclass(frozen=True)
class PackedPlugin:
    """What a plugin was packed to."""

    name: str
    digest: str
    signed: bool


def pack(folder: Path, *, private_key: bytes | None = None, password: bytes | None = None) -> PackedPlugin:
    """Write a plugin's `code.yaml`, and the digest and signature into its `plugin.yaml`.

    Args:
        private_key: signs the code; without it a signature in the manifest is left as it is.

    Raises:
        CannotPack: if something is missing.
    """
    manifest = folder / PLUGIN_FILE
    text, plugin = _read(manifest)
    spec = _mapping(_mapping(plugin.value).get("spec"))
    content = _content(folder, _code_ref(spec)["key"])
    digest = digest_of(content)
    text = _replaced(text, plugin, "spec.digest", "digest", digest)
    if private_key is not None:
        text = _signed(text, plugin, content, private_key, password)
    (folder / CODE_FILE).write_text(HEADER + yaml.safe_dump_all(_config_maps(folder, plugin), allow_unicode=True))
    manifest.write_text(text)
    return PackedPlugin(_mapping(plugin.value)["metadata"]["name"], digest, private_key is not None)


def plugin_of(folder: Path) -> tuple[Mapping[str, Any], bytes]:
    """The Plugin in a folder's manifest, and the content of the file that it is made of. Raises CannotPack."""
    _, plugin = _read(folder / PLUGIN_FILE)
    value = _mapping(plugin.value)
    return value, _content(folder, _code_ref(_mapping(value.get("spec")))["key"])


def _signed(text: str, plugin: ManifestDocument, content: bytes, private_key: bytes, password: bytes | None) -> str:
    """The text with the signature: a new value, or a block with the key below the digest. Raises CannotPack."""
    try:
        signature = sign(content, private_key, password=password)
        if "spec.signature.value" in plugin.lines:
            return _replaced(text, plugin, "spec.signature.value", "value", signature)
        pem = public_key_of(private_key, password=password).splitlines()
    except SignatureRefused as error:
        raise CannotPack(str(error)) from None
    lines, at = text.splitlines(), plugin.lines["spec.digest"]
    if not (indented := re.match("( +)digest:", lines[at - 1])):
        raise CannotPack("plugin.yaml has spec.digest among others in a line: write it into a line of its own")
    block = ["signature:", f"  value: {signature}", "  keys:", "    - pem: |", *(f"        {line}" for line in pem)]
    return "\n".join([*lines[:at], *(indented[1] + line for line in block), *lines[at:]]) + "\n"


def _read(manifest: Path) -> tuple[str, ManifestDocument]:
    """A manifest with one Plugin. Raises CannotPack."""
    try:
        text = manifest.read_text("utf-8")
        documents = load_text(text, str(manifest))
    except (OSError, UnicodeDecodeError) as error:
        raise CannotPack(f"{manifest} cannot be read ({error}): give the folder of a plugin") from None
    except ManifestError as error:
        raise CannotPack(str(error)) from None
    plugins = [each for each in documents if _mapping(each.value).get("kind") == "Plugin"]
    if len(plugins) != 1:
        raise CannotPack(f"{manifest} has {len(plugins)} Plugins: write one")
    return text, plugins[0]


def _code_ref(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """The name and key of what the plugin is made of. Raises CannotPack."""
    for path in CODE:
        found: Any = spec
        for part in path:
            found = _mapping(found).get(part)
        if isinstance(found, dict) and "name" in found and "key" in found:
            return found
    raise CannotPack("the Plugin refers to no file in a ConfigMap: there is nothing to pack")


def _config_maps(folder: Path, plugin: ManifestDocument) -> Iterator[dict[str, Any]]:
    """The ConfigMaps that a Plugin refers to, from the files of the folder. Raises CannotPack."""
    value = _mapping(plugin.value)
    keys: dict[str, dict[str, None]] = {}
    for ref in _refs(value.get("spec")):
        keys.setdefault(ref["name"], {})[ref["key"]] = None
    for name, files in sorted(keys.items()):
        metadata = {"name": name, "namespace": value["metadata"].get("namespace", "default")}
        made: dict[str, Any] = {"apiVersion": configmaps.API_VERSION, "kind": configmaps.KIND, "metadata": metadata}
        for key in files:
            content = _content(folder, key)
            try:
                made.setdefault("data", {})[key] = _Text(content.decode())
            except UnicodeDecodeError:
                made.setdefault("binaryData", {})[key] = base64.b64encode(content).decode()
        yield made


def _refs(value: object) -> Iterator[Mapping[str, str]]:
    """Each name and key of a ConfigMap in a spec."""
    for key, each in _mapping(value).items():
        if key in ("configMapRef", "module") and isinstance(each, dict) and {"name", "key"} <= each.keys():
            yield each
        else:
            for inner in each if isinstance(each, list) else [each]:
                yield from _refs(inner)


def _content(folder: Path, key: str) -> bytes:
    """Raises CannotPack."""
    try:
        content = (folder / key).read_bytes()
    except OSError:
        raise CannotPack(f"{folder / key} cannot be read: the Plugin refers to a file of this name") from None
    if len(content) > MOST_BYTES:
        raise CannotPack(f"{folder / key} has more than 1 MiB, which no ConfigMap holds: give the Plugin its url")
    return content


def _replaced(text: str, plugin: ManifestDocument, path: str, name: str, value: str) -> str:
    """The text with another value of a field. Raises CannotPack."""
    line = plugin.lines.get(path)
    if line is None:
        raise CannotPack(f"plugin.yaml has no {path}: add `{name}: {_example(name)}`, and pack again")
    lines = text.splitlines(keepends=True)
    lines[line - 1] = re.sub(rf'\b{name}:[ ]*("[^"]*"|[^\s,}}]*)', f"{name}: {value}", lines[line - 1], count=1)
    return "".join(lines)


def _example(name: str) -> str:
    return "sha256:" + 64 * "0" if name == "digest" else '""'


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


class _Text(str):
    """A text that YAML shows as a block, so that a change of it can be read."""


def _block(dumper: yaml.SafeDumper, text: _Text) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")


yaml.SafeDumper.add_representer(_Text, _block)
