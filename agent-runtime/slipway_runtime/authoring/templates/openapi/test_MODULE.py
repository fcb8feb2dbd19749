"""python -m pytest"""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from slipway_runtime.plugin_testing import LoadedForTests, load_plugin


class Api(BaseHTTPRequestHandler):
    """A fake of the API."""

    def do_GET(self) -> None:
        """Greet."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"text": f"Hello, {self.path.rpartition('/')[2]}!"}).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def plugin() -> Iterator[LoadedForTests]:
    """The plugin, with the API beside it."""
    with HTTPServer(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.serve_forever).start()
        source = {"configMapRef": {"name": "NAME-code", "key": "openapi.yaml"}}
        api = {"source": source, "baseURL": f"http://127.0.0.1:{server.server_port}"}
        with load_plugin(Path(__file__).parent, openapi=api) as loaded:
            yield loaded
        server.shutdown()


def test_it_greets(plugin: LoadedForTests) -> None:
    assert plugin.tools == ["greet"]
    assert plugin.call("greet", name="Ann") == {"text": "Hello, Ann!"}
