"""Runs every provider's replay in this process and reports to Terraform where they are."""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tfreplay.bindings import load
from tfreplay.errors import ReplayError
from tfreplay.providers import PROVIDERS, Provider, cache_home
from tfreplay.server import ProviderReplay, serving

Json = dict[str, Any]

_SOURCE = re.compile(r'source\s*=\s*"(\.\.?/[^"]*)"')
_REQUIRED = re.compile(r'source\s*=\s*"([\w-]+/[\w-]+)"')
_TYPE = re.compile(r'\b(?:resource|data|mock_resource|mock_data)\s+"([a-z0-9_]+)"')
_OVERRIDE = re.compile(r"\b(?:data\.)?([a-z0-9]+_[a-z0-9_]+)\.[a-z]")


def texts(root: Path) -> list[str]:
    """The configuration in `root` and its tests, and that of every local module it calls, directly or not."""
    seen: dict[Path, str] = {}
    waiting = [root.resolve()]
    while waiting:
        folder = waiting.pop()
        if folder in seen or not folder.is_dir():
            continue
        files = [*folder.glob("*.tf"), *folder.glob("*.tftest.hcl"), *folder.glob("tests/*.tftest.hcl")]
        seen[folder] = "\n".join(file.read_text() for file in sorted(files))
        waiting += [(folder / source).resolve() for source in _SOURCE.findall(seen[folder])]
    return list(seen.values())


def mentioned(text: str) -> frozenset[str]:
    """The resource and data source types that a configuration names."""
    return frozenset(_TYPE.findall(text)) | frozenset(_OVERRIDE.findall(text))


def required(text: str) -> list[Provider]:
    """The providers that a configuration requires. Raises ReplayError for one whose schema nobody has."""
    known = {provider.source: provider for provider in PROVIDERS}
    sources = sorted(set(_REQUIRED.findall(text)))
    strange = [source for source in sources if source not in known]
    if strange:
        raise ReplayError(
            f"no schema to replay for {', '.join(strange)}: "
            "add its npm binding to tfreplay/bindings/package.json and the provider to tfreplay/providers.py"
        )
    return [known[source] for source in sources]


def narrowed(schemas: Json, types: frozenset[str]) -> Json:
    """Only the named types: Terraform reads the schema anew in every command, and aws's alone is 20 MB."""
    return schemas | {
        kind: {name: each for name, each in schemas[kind].items() if name in types}
        for kind in ("resource_schemas", "data_source_schemas")
    }


@contextmanager
def replaying(roots: list[Path]) -> Iterator[dict[str, str]]:
    """Serve what the configurations in `roots` need. Gives the environment in which terraform finds the replays.

    Raises ReplayError when the schemas cannot be had.
    """
    text = "\n".join(each for root in roots for each in texts(root))
    types = mentioned(text)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tfreplay-")))
        reattach = {}
        for provider in required(text):
            socket = folder / provider.name
            stack.enter_context(serving(ProviderReplay(narrowed(load(provider), types)), socket))
            reattach[provider.address] = _reattach(socket)
        yield {**os.environ, "TF_REATTACH_PROVIDERS": json.dumps(reattach), "CHECKPOINT_DISABLE": "1"}


def data_folder(root: Path) -> Path:
    """Where terraform keeps what `init` makes for `root`: apart from the `.terraform` of a real installation."""
    return cache_home() / "data" / hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]


def _reattach(socket: Path) -> Json:
    # "Test" tells Terraform to leave the process alone when it has finished.
    address = {"Network": "unix", "String": str(socket)}
    return {"Protocol": "grpc", "ProtocolVersion": 6, "Pid": os.getpid(), "Test": True, "Addr": address}
