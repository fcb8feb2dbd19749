"""What a Plugin's status says on a real cluster, where the gateway looks at the server."""

import pytest

from slipway_crds.meta import API_VERSION
from tests.support.operator_bench import Bench, bench

__all__ = ["bench"]
pytestmark = pytest.mark.cluster


def test_a_plugin_whose_server_is_not_there_says_so(bench: Bench) -> None:
    spec = {"type": "mcp", "mcp": {"serviceRef": {"name": "nobody", "port": 8000}}}
    metadata = {"name": "tools", "namespace": bench.namespace}
    bench.apply({"apiVersion": API_VERSION, "kind": "Plugin", "metadata": metadata, "spec": spec})
    bench.until_condition("plugins", "tools", status="False", reason="ServerUnreachable")
    assert bench.condition("plugins", "tools", "Reachable")["status"] == "False"
    assert bench.get("plugins", "tools")["status"]["lastError"]
