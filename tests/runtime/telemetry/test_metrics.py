"""The port of the metrics."""

import urllib.request

import pytest
from prometheus_client import Counter

from slipway_runtime.telemetry.metrics import metrics_served
from tests.support.servers import free_port

TOLD = Counter("told_by_the_test", "Counts nothing.")


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]"])
def test_they_are_read_on_every_address(address: str) -> None:
    port = free_port()
    with metrics_served(port), urllib.request.urlopen(f"http://{address}:{port}/metrics", timeout=10) as response:
        assert "told_by_the_test_total 0.0" in response.read().decode()


def test_a_port_that_is_taken_is_named_with_what_to_do() -> None:
    port = free_port()
    refused = pytest.raises(SystemExit, match=f"port {port} .*SLIPWAY_METRICS_PORT")
    with metrics_served(port), refused, metrics_served(port):
        raise AssertionError("two servers on one port")
