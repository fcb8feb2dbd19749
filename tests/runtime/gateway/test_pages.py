"""The web page of the OpenAPI document: open to everybody, and made of files that the gateway itself serves."""

import gzip
import hashlib
import json
import re
from pathlib import Path

from slipway_runtime.gateway.pages import FOLDER
from tests.runtime.gateway.conftest import StartFront


async def test_the_page_needs_no_key_and_loads_only_what_is_served_with_it(
    start_front: StartFront, tmp_path: Path
) -> None:
    front = await start_front(auth_mode="apikeys", api_keys_file=tmp_path / "none.json")
    async with front.client.get("/docs") as response:
        assert (response.status, response.content_type) == (200, "text/html")
        policy = response.headers["Content-Security-Policy"]
        page = await response.text()
    assert "default-src 'none'; script-src 'self';" in policy
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert {"docs/swagger-ui-bundle.js", "docs/swagger-ui.css", "docs/page.js"} < set(loaded)
    for path in loaded:
        if path == "data:,":
            continue
        async with front.client.get(f"/{path}") as response:
            assert response.status == 200, path
            assert response.content_type == {"js": "text/javascript", "css": "text/css"}[path.rpartition(".")[2]]
            assert await response.read()
    async with front.client.head("/docs") as response:
        assert response.status == 200


async def test_no_other_file_is_served(start_front: StartFront) -> None:
    front = await start_front()
    for name in ("nothing.js", "..%2fpages.py", "%2e%2e%2fpages.py", "swagger-ui-bundle.js.gz"):
        async with front.client.get(f"/docs/{name}") as response:
            assert (response.status, (await response.json(content_type=None))["reason"]) == (404, "NotFound"), name


def test_the_files_of_swagger_ui_are_the_recorded_ones_with_their_licences() -> None:
    record = json.loads((FOLDER / "swagger-ui.json").read_text())
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FOLDER.glob("swagger-ui*")}
    assert {name: digest for name, digest in found.items() if name != "swagger-ui.json"} == record["sha256"]
    assert "Apache License" in (FOLDER / "swagger-ui.LICENSE.txt").read_text()
    bundle = gzip.decompress((FOLDER / "swagger-ui-bundle.js.gz").read_bytes())
    assert b"swagger-ui-bundle.js.LICENSE.txt" in bundle[:200]
    assert record["version"].encode() in bundle
