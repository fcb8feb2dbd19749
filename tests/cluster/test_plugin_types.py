"""Plugins of every type on a real cluster: what is loaded is served, and what is not signed does not run."""

import hashlib
from typing import Any

import pytest

from slipway_runtime.plugins.signing import image_payload, new_key_pair, sign
from tests.cluster.test_plugins import plugin
from tests.support.operator_bench import Bench, bench, wait

__all__ = ["bench"]
pytestmark = pytest.mark.cluster

DOCUMENT = """
openapi: 3.1.0
paths:
  /orders/{id}:
    get:
      operationId: get_order
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
"""
MODULE = '''
from slipway_runtime.plugin_api import hookimpl, tool

@tool(read_only=True)
def greet(name: str) -> str:
    """Greet somebody."""
    return f"hello {name}"

@hookimpl
def slipway_tools(config):
    return [greet]
'''


def config_map(namespace: str, name: str, **data: str) -> dict[str, Any]:
    """A ConfigMap of the namespace."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def of_type(namespace: str, name: str, kind: str, given: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A Plugin of the namespace."""
    made = plugin(namespace, name)
    return {**made, "spec": {"type": kind, kind: given, **more}}


def test_documents_and_modules_are_served_and_what_is_tampered_with_is_not(bench: Bench) -> None:
    digest = f"sha256:{hashlib.sha256(MODULE.encode()).hexdigest()}"
    module = {"module": {"name": "code", "key": "greeter"}}
    document = {"configMapRef": {"name": "code", "key": "shop"}}
    shop = {"source": document, "baseURL": f"http://shop.{bench.namespace}.svc:8000"}
    bench.apply(
        config_map(bench.namespace, "code", greeter=MODULE, shop=DOCUMENT),
        of_type(bench.namespace, "greeter", "python", module, digest=digest),
        of_type(bench.namespace, "tampered", "python", module, digest="sha256:" + 64 * "0"),
        of_type(bench.namespace, "shop", "openapi", shop),
    )
    assert bench.until_condition("plugins", "greeter")["reason"] == "Serving"
    assert bench.until_condition("plugins", "shop")["reason"] == "Serving"
    refused = bench.until_condition("plugins", "tampered", condition="Stalled")
    assert refused["reason"] == "DigestMismatch"


def test_an_image_runs_only_with_a_signature_of_its_digest(bench: Bench) -> None:
    repository, digest = "registry.invalid/issues", "sha256:" + 64 * "a"
    key = new_key_pair()
    payload = image_payload(repository, digest).decode()
    image = {"image": {"name": f"{repository}@{digest}"}}
    value = sign(payload.encode(), key.private)
    signature = {"value": value, "payload": payload, "keys": [{"configMapRef": {"name": "keys", "key": "acme"}}]}
    forged = {**signature, "payload": payload.replace("issues", "others")}
    bench.apply(
        config_map(bench.namespace, "keys", acme=key.public.decode()),
        of_type(bench.namespace, "signed", "mcp", image, signature=signature),
        of_type(bench.namespace, "forged", "mcp", image, signature=forged),
    )
    refused = bench.until_condition("plugins", "forged", condition="Stalled")
    assert refused["reason"] == "SignatureInvalid"

    def deployed() -> list[str]:
        return [each["metadata"]["name"] for each in bench.items("deployments")]

    wait(lambda: "signed-connector" in deployed(), lambda: f"no Deployment of the signed image: {deployed()}")
    assert "forged-connector" not in deployed()
    (pod,) = [each["spec"] for each in bench.items("pods") if each["metadata"]["name"].startswith("signed-connector")]
    assert [each["image"] for each in pod["containers"]][1] == f"{repository}@{digest}"
