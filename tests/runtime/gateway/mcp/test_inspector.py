"""The official inspector's command line against an agent."""

import json

import pytest

from tests.runtime.gateway.conftest import SUPPORT, Front
from tests.support import mcp_clients
from tests.support.scripted_host import words


@pytest.mark.parametrize(("path", "tool"), [(f"/agents/{SUPPORT}/mcp", "ask"), ("/mcp", "support__ask")])
async def test_the_inspector_lists_and_calls(front: Front, path: str, tool: str) -> None:
    server = (front.url + path, "--transport", "http")
    listed = await mcp_clients.inspector(*server, "--method", "tools/list")
    assert listed.code == 0, listed.output
    assert tool in {each["name"] for each in json.loads(listed.output)["tools"]}
    called = await mcp_clients.inspector(
        *server, "--method", "tools/call", "--tool-name", tool, "--tool-arg", "question=say 3 words"
    )
    assert called.code == 0, called.output
    assert json.loads(called.output)["content"][0]["text"] == "".join(words(3))
