"""What the OpenAPI document says of plugins, to those who may use them."""

import json
from pathlib import Path
from typing import Any

from slipway_crds.plugins.metadata import PluginMetadata
from slipway_runtime.addresses import AddressRule
from slipway_runtime.gateway.auth import new_key
from slipway_runtime.gateway.routes import AgentAccess as Allowed
from slipway_runtime.gateway.routes import PluginKey
from slipway_runtime.plugins.server import ServerAccess
from tests.runtime.gateway.conftest import StartFront
from tests.support.mcp_servers import upstream
from tests.support.servers import free_port

HERE = ServerAccess(reach=AddressRule(loopback=True))


async def test_the_document_names_plugins_for_whom_they_are(start_front: StartFront, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    (staff_key, staff), (key, entry) = new_key("ann", groups=["staff"]), new_key("bob")
    path.write_text(json.dumps({"keys": [staff.model_dump(), entry.model_dump()]}))
    front = await start_front(auth_mode="apikeys", api_keys_file=path)
    plugins = {name: PluginKey("demo", name) for name in ("first", "second", "third")}
    extensions = {"x-dashboard-url": "/dashboard", "x-endpoints": ["/a", "https://b"], "x-plugins": 1}
    for name, plugin in plugins.items():
        front.gateway.plugins.set(plugin, upstream(f"http://127.0.0.1:{free_port()}/mcp", name), HERE)
        said = PluginMetadata(name=f"the_{name}", version="1.0", openapi_extensions={**extensions, "x-name": name})
        front.gateway.plugins.describe(plugin, None if name == "third" else said)
    front.gateway.routes.restrict(plugins["first"], Allowed(groups=frozenset({"staff"})))

    async def read(key: str) -> dict[str, Any]:
        async with front.client.get("/openapi.json", headers={"X-API-Key": key}) as response:
            found: dict[str, Any] = await response.json()
            return found

    shown = await read(staff_key)
    assert [each["name"] for each in shown["x-plugins"]] == ["first", "second", "third"]
    first, _, third = shown["x-plugins"]
    assert first["path"] == "/plugins/demo/first"
    assert {first["metadata"][name] for name in ("name", "version")} == {"the_first", "1.0"}
    assert first["metadata"]["openapi_extensions"]["x-endpoints"] == ["/plugins/demo/first/a", "https://b"]
    assert third == {"namespace": "demo", "name": "third", "path": "/plugins/demo/third"}
    assert shown["x-dashboard-url"] == "/plugins/demo/first/dashboard"
    hidden = await read(key)
    assert [each["name"] for each in hidden["x-plugins"]] == ["second", "third"]
    assert (hidden["x-name"], hidden["x-dashboard-url"]) == ("second", "/plugins/demo/second/dashboard")
    front.gateway.plugins.remove(plugins["second"])
    assert "x-name" not in await read(key)
