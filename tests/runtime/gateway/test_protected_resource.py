"""A client that is refused finds the identity provider, and MCP's official client signs its user in by that."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import httpx2
import pytest
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from slipway_runtime.gateway.protected_resource import WELL_KNOWN, ProtectedResource
from tests.runtime.gateway.conftest import CHAT, SUPPORT, Front, StartFront, StartHost
from tests.support.oidc import AUDIENCE, OidcProvider, SigningKey, oidc_provider
from tests.support.servers import free_port

MCP = f"/agents/{SUPPORT}/mcp"
PLUGIN = "/plugins/demo/tools/mcp"
CALLBACK = "http://127.0.0.1:1/callback"


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with oidc_provider(SigningKey("one")) as started:
        yield started


@pytest.fixture
async def guarded(provider: OidcProvider, start_front: StartFront, start_host: StartHost, tmp_path: Path) -> Front:
    path = tmp_path / "keys.json"
    path.write_text('{"keys": []}')
    port = free_port()
    front = await start_front(
        port=port,
        auth_mode="apikeys",
        api_keys_file=path,
        oidc_issuer=provider.issuer,
        oidc_audiences=AUDIENCE,
        public_url=f"http://127.0.0.1:{port}",
    )
    _, url = await start_host()
    front.routes.set(SUPPORT, [url])
    return front


@pytest.mark.parametrize(
    ("method", "path", "suffix"),
    [
        ("POST", CHAT, ""),
        ("POST", "/v1/chat/completions", ""),
        ("GET", "/v1/models", ""),
        ("GET", "/agents", ""),
        ("GET", "/openapi.json", ""),
        ("POST", MCP, MCP),
        ("POST", PLUGIN, PLUGIN),
    ],
)
async def test_a_401_says_where_to_read_on(guarded: Front, method: str, path: str, suffix: str) -> None:
    for headers, refused in (({}, ""), ({"Authorization": "Bearer a.b.c"}, ', error="invalid_token"')):
        async with guarded.client.request(method, path, json={}, headers=headers) as response:
            assert response.status == 401
            where = f'{guarded.url}{WELL_KNOWN}{suffix}"'
            assert response.headers["WWW-Authenticate"] == f'Bearer resource_metadata="{where}{refused}'


@pytest.mark.parametrize("path", ["", "/mcp", MCP, PLUGIN, "/agents/no/such/mcp"])
async def test_the_document_names_the_provider(guarded: Front, provider: OidcProvider, path: str) -> None:
    async with guarded.client.get(WELL_KNOWN + path) as response:
        assert response.status == 200
        document = await response.json()
    assert document["resource"] == guarded.url + path
    assert document["authorization_servers"] == [provider.issuer]


async def test_there_is_none_of_other_paths(guarded: Front) -> None:
    for path in ("/", "/agents", "/agents/demo/support/chat", "/x/mcp"):
        async with guarded.client.get(WELL_KNOWN + path) as response:
            assert response.status == 404, path


async def test_without_a_provider_there_is_none(start_front: StartFront) -> None:
    front = await start_front()
    async with front.client.get(WELL_KNOWN) as response:
        assert response.status == 404


def scope(path: str, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http", "scheme": "http", "path": path, "headers": [(b"host", b'x.example"\\y'), *headers]}


@pytest.mark.parametrize(("path", "suffix"), [(MCP, MCP), ("/mcp", "/mcp"), (CHAT, ""), ("/agents/A/b/mcp", "")])
def test_a_path_of_mcp_is_a_resource_of_its_own(path: str, suffix: str) -> None:
    here = ProtectedResource("https://id.example", "https://gw.example")
    assert here.challenge(scope(path)) == f'Bearer resource_metadata="https://gw.example{WELL_KNOWN}{suffix}"'
    elsewhere = ProtectedResource("https://id.example").challenge(scope("/mcp"))
    assert elsewhere == f'Bearer resource_metadata="http://x.exampley{WELL_KNOWN}/mcp"'


class Browser:
    """What the user's browser does, and what the client keeps."""

    def __init__(self) -> None:
        self.came_back = ""
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def visit(self, url: str) -> None:
        """Follow the provider, who signs the user in without asking, back to the client."""
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            while not url.startswith(CALLBACK):
                async with session.get(url, allow_redirects=False) as response:
                    assert response.status in (302, 303), await response.text()
                    url = str(httpx2.URL(url).join(response.headers["Location"]))
        self.came_back = url

    async def result(self) -> AuthorizationCodeResult:
        given = {name: values[0] for name, values in parse_qs(urlsplit(self.came_back).query).items()}
        return AuthorizationCodeResult(code=given["code"], state=given["state"], iss=given.get("iss"))

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


async def test_mcps_client_signs_its_user_in(guarded: Front) -> None:
    """Discovery, registration, the code with PKCE, and a token for this gateway: nothing is configured by hand."""
    browser = Browser()
    wanted = OAuthClientMetadata(client_name="a client of MCP", redirect_uris=[CALLBACK])
    login = OAuthClientProvider(f"{guarded.url}/agents", wanted, browser, browser.visit, browser.result)
    async with httpx2.AsyncClient(auth=login) as client:
        answer = await client.get(f"{guarded.url}/agents", headers={"MCP-Protocol-Version": "2026-07-28"})
    assert answer.status_code == 200, answer.text
    assert [each["name"] for each in answer.json()["agents"]] == ["support"]
    assert browser.tokens
