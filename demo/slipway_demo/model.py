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

from slipway_crds.agents.destinations import destination
from slipway_crds.agents.providers import ModelSpec
from slipway_crds.validate import validate_document
from slipway_demo.errors import DemoError
from slipway_demo.paths import ASSISTANT

OWN = "openai-compatible"
VARIABLES = {
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "google": "GOOGLE_API_KEY",
    OWN: "MODEL_API_KEY",
}
"""Where each provider's key is, by the names that the providers' own tools use. Servers of one's own may need none."""


@dataclass(frozen=True)
class DemoModel:
    """A provider's model, where it is if not at the provider's own address, and the key to it if it needs one."""

    provider: str
    name: str
    key: str = field(repr=False)
    base_url: str = ""

    def entry(self) -> dict[str, Any]:
        """As an entry of `spec.models`."""
        entry: dict[str, Any] = {"name": self.provider, "provider": self.provider, "model": self.name}
        if self.base_url:
            entry["baseURL"] = self.base_url
        if self.key:
            entry["apiKeyRef"] = {"name": self.provider, "key": VARIABLES[self.provider]}
        return entry

    def egress(self, namespace: str) -> list[dict[str, Any]]:
        """What `spec.egress` of an Agent needs for it. Pods are taken to have the port of their Service."""
        to = destination(ModelSpec.model_validate(self.entry()), namespace)
        if to.is_public:
            return []
        where = {"namespace": to.namespace} if to.address is None else {"cidr": f"{to.address}/32"}
        return [{**where, "ports": [to.port]}]

    def secrets(self, namespace: str) -> list[dict[str, Any]]:
        """The Secret that the entry names, if it does."""
        if not self.key:
            return []
        metadata = {"name": self.provider, "namespace": namespace}
        data = {VARIABLES[self.provider]: self.key}
        return [{"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}]


def parse(text: str, environment: Mapping[str, str] = os.environ, *, base_url: str = "") -> DemoModel:
    """Read `provider:model`, and the key from the environment.

    Raises:
        DemoError: with what to write or to set.
    """
    provider, _, name = text.partition(":")
    if provider not in VARIABLES or not name:
        known = ", ".join(VARIABLES)
        raise DemoError(f"MODEL={text} is no model: write provider:model, like openai:gpt-5-mini, with one of {known}")
    if provider == OWN and not base_url:
        raise DemoError(
            f"MODEL={text} is a server of your own: say where it is, like MODEL_BASE_URL=http://llm.models.svc:8000/v1"
        )
    variable = VARIABLES[provider]
    if not (key := environment.get(variable, "").strip()) and provider != OWN:
        raise DemoError(
            f"{variable} is not set: set it to your key of {provider}, like {variable}=... make demo MODEL={text}"
        )
    model = DemoModel(provider, name, key, base_url)
    if problems := validate_document(_assistant(model)):
        raise DemoError(f"MODEL={text} cannot be used: {'; '.join(map(str, problems))}")
    return model


@contextmanager
def answered_by(model: DemoModel, folder: Path, *, namespace: str) -> Iterator[Path]:
    """A folder with the manifests of another, but for its agent: `assistant` with the model in its place."""
    with tempfile.TemporaryDirectory(prefix="slipway-demo-") as made:
        target = Path(made)
        for file in [each for each in folder.glob("*.yaml") if each.name not in ("agent.yaml", "cases.yaml")]:
            shutil.copy(file, target)
        agent = _assistant(model)
        if egress := model.egress(namespace):
            agent["spec"]["egress"] = egress
        (target / "agent.yaml").write_text(yaml.safe_dump(agent, sort_keys=False))
        yield target


def _assistant(model: DemoModel) -> dict[str, Any]:
    agent: dict[str, Any] = yaml.safe_load((ASSISTANT / "agent.yaml").read_text())
    agent["spec"]["models"] = [model.entry()]
    return agent
