"""The smallest agent and index, with what a test adds to their specs."""

from typing import Any

from slipway_crds.agents.model import Agent
from slipway_crds.indexes.model import VectorIndex


def agent(namespace: str = "demo", name: str = "support", **spec: Any) -> Agent:
    spec = {"knowledge": [{"name": "handbook", "indexRef": {"name": "handbook"}}]} | spec
    return Agent.model_validate({"metadata": {"name": name, "namespace": namespace}, "spec": spec})


def index(namespace: str = "demo", name: str = "handbook", **spec: Any) -> VectorIndex:
    spec = {"backend": {"chroma": {}}, "sources": [{"name": "docs", "configMap": {"name": "docs"}}]} | spec
    return VectorIndex.model_validate({"metadata": {"name": name, "namespace": namespace}, "spec": spec})
