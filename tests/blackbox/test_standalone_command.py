"""What the image for where there is no cluster starts, without the image: its command over folders of this machine."""

import json
import re
import sys
from pathlib import Path

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from slipway_demo.paths import ROOT
from slipway_runtime.gateway.auth import CallerKeyFile, new_key
from tests.blackbox.test_assistants import DOCUMENTS
from tests.support.dev_process import DevProcess


def command_of_the_image() -> list[str]:
    """ENTRYPOINT and CMD of the stage."""
    stage = re.split(r"^FROM ", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    (standalone,) = [each for each in stage if each.startswith("final AS standalone\n")]
    lines = dict(re.findall(r"^(ENTRYPOINT|CMD) (\[.*\])$", standalone, flags=re.MULTILINE))
    return [*json.loads(lines["ENTRYPOINT"]), *json.loads(lines["CMD"])]


async def test_the_images_command_serves_everything_at_mcp_to_those_with_a_key(tmp_path: Path) -> None:
    key, entry = new_key("tests")
    (tmp_path / "keys.json").write_text(CallerKeyFile(keys=(entry,)).model_dump_json())
    dev = DevProcess(tmp_path)
    dev.replace(DOCUMENTS)
    places = {
        "/usr/local/bin/slipway": str(Path(sys.executable).with_name("slipway")),
        "--data=/data": f"--data={dev.data}",
        "--file=/manifests": f"--file={dev.manifest.parent}",
        "--keys=/keys/keys.json": f"--keys={tmp_path / 'keys.json'}",
    }
    command = command_of_the_image()
    assert set(places) < set(command)
    dev.command = [*(places.get(word, word) for word in command), "--port=0"]
    dev.start()
    try:
        url = re.sub("//[^:/]+", "//127.0.0.1", await dev.url()).rstrip("/")
        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=60) as http,
            Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
        ):
            assert {"keeper__ask", "keeper__search_documents"} <= {
                each.name for each in (await client.list_tools()).tools
            }
            answer = await client.call_tool("keeper__ask", {"question": "What is the elephant called?"})
        assert "Rosa" in str(answer.content)
        async with httpx2.AsyncClient() as stranger:
            assert (await stranger.post(f"{url}/mcp", json={})).status_code == 401
    finally:
        dev.stop()
