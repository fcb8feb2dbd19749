"""A model for the demo: an agent that writes its answers with it, and the Secret with the key from the environment."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from slipway_demo.errors import DemoError
from slipway_demo.paths import ASSISTANT

VARIABLES = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "google": "GOOGLE_API_KEY"}
"""Where each provider's key is, by the names that the providers' own tools use."""


@dataclass(frozen=True)
class DemoModel:
    """A provider's model, and the key to it."""

    provider: str
    name: str
    key: str = field(repr=False)

    def entry(self) -> dict[str, Any]:
        """As an entry of `spec.models`."""
        reference = {"name": self.provider, "key": VARIABLES[self.provider]}
        return {"name": self.provider, "provider": self.provider, "model": self.name, "apiKeyRef": reference}

    def secret(self, namespace: str) -> dict[str, Any]:
        """The Secret that the entry names."""
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": self.provider, "namespace": namespace},
            "stringData": {VARIABLES[self.provider]: self.key},
        }


def parse(text: str, environment: Mapping[str, str] = os.environ) -> DemoModel:
    """Read `provider:model`, and the key from the environment.

    Raises:
        DemoError: with what to write or to set.
    """
    provider, _, name = text.partition(":")
    if provider not in VARIABLES or not name:
        known = ", ".join(VARIABLES)
        raise DemoError(f"MODEL={text} is no model: write provider:model, like openai:gpt-5-mini, with one of {known}")
    variable = VARIABLES[provider]
    if not (key := environment.get(variable, "").strip()):
        raise DemoError(
            f"{variable} is not set: set it to your key of {provider}, like {variable}=... make demo MODEL={text}"
        )
    return DemoModel(provider, name, key)


@contextmanager
def answered_by(model: DemoModel, folder: Path) -> Iterator[Path]:
    """A folder with the manifests of another, but for its agent: `assistant` with the model in its place."""
    with tempfile.TemporaryDirectory(prefix="slipway-demo-") as made:
        target = Path(made)
        for file in [each for each in folder.glob("*.yaml") if each.name not in ("agent.yaml", "cases.yaml")]:
            shutil.copy(file, target)
        agent = yaml.safe_load((ASSISTANT / "agent.yaml").read_text())
        agent["spec"]["models"] = [model.entry()]
        (target / "agent.yaml").write_text(yaml.safe_dump(agent, sort_keys=False))
        yield target
