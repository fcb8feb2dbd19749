"""The official conformance suite against a server on our own MCP module, for both revisions that it has."""

from pathlib import Path

import pytest

from tests.support import mcp_clients
from tests.support.mcp_fixture import fixture_server

REVISIONS = ["2025-11-25", "2026-07-28"]


@pytest.mark.parametrize("revision", REVISIONS)
async def test_every_required_scenario_passes(revision: str, tmp_path: Path) -> None:
    async with fixture_server() as url:
        ended = await mcp_clients.conformance(url, revision, tmp_path)
    assert ended.code == 0, ended.output[-3000:]
    assert f"Required for {revision}" in ended.output or "Total:" in ended.output
