"""An agent of each architecture, all on one model, for tests that kill what serves them."""

from collections.abc import Mapping
from typing import Any

from slipway_crds.runtimeconfig import AgentConfig, KnowledgeConfig, ModelConfig, ToolConfig

KNOWLEDGE = (KnowledgeConfig(name="tea", index="tea", top_k=3, min_score=0.1),)
ASK_LANG = ToolConfig(name="ask-lang", agent="lang", description="Knows of tea.")
AGENTS: Mapping[str, str] = {
    "lang": "langgraph",
    "pyd": "pydantic-ai",
    "hyb": "hybrid",
    "lead": "orchestrator",
}
"""Architecture by name. `pyd` and `hyb` may ask `lang`; `pyd` and `lang` are members of `lead`."""


def configs(namespace: str, model_url: str) -> list[AgentConfig]:
    """What a host serves."""
    return [_config(namespace, name, architecture, model_url) for name, architecture in AGENTS.items()]


def _config(namespace: str, name: str, architecture: Any, model_url: str) -> AgentConfig:
    return AgentConfig(
        namespace=namespace,
        name=name,
        architecture=architecture,
        knowledge=() if name == "lead" else KNOWLEDGE,
        session_ttl_seconds=3600,
        session_max_turns=50,
        in_flight=20,
        request_timeout_seconds=120,
        models=(ModelConfig(name="only", provider="openai-compatible", model="any", base_url=model_url),),
        tools=(ASK_LANG,) if name in ("pyd", "hyb") else (),
    )


def spec(name: str) -> dict[str, Any]:
    """What the gateway reads of an Agent's spec."""
    members = [{"agentRef": {"name": each}} for each in ("lang", "pyd")]
    tools = [{"name": ASK_LANG.name, "agentRef": {"name": ASK_LANG.agent}}]
    return {
        "architecture": AGENTS[name],
        "description": f"Knows of tea, as {name} does.",
        "limits": {"requestTimeout": "120s"},
        **({"members": members} if name == "lead" else {}),
        **({"tools": tools} if name in ("pyd", "hyb") else {}),
    }
