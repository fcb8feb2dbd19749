"""Documents become tools, and calls of tools requests: good ones, and those that nobody should write."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from slipway_crds.plugins.connector import SOURCE_FILE
from slipway_crds.plugins.model import Plugin
from slipway_runtime.addresses import AddressRule
from slipway_runtime.connector.loaders import Surroundings, load
from slipway_runtime.plugins.loaded import LoadedPlugin, PluginNotLoaded, ToolAnswer
from slipway_runtime.plugins.openapi.calling import WrongArguments, request_of
from slipway_runtime.plugins.openapi.document import read_document
from slipway_runtime.plugins.openapi.operations import ApiOperation, operations_of
from tests.support.serving import served
from tests.support.shop_api import DOCUMENT, ShopApi

Call = Callable[..., Awaitable[ToolAnswer]]


def plugin(port: str, **api: Any) -> Plugin:
    service = {"name": "shop", "port": int(port), "path": "/"}
    given = {"source": {"configMapRef": {"name": "shop", "key": "d"}}, "serviceRef": service, **api}
    given = {name: value for name, value in given.items() if value is not None}
    spec = {"type": "openapi", "openapi": given}
    return Plugin.model_validate({"metadata": {"name": "shop", "namespace": "demo"}, "spec": spec})


async def loaded(folder: Path, port: str, document: Any = DOCUMENT, **api: Any) -> LoadedPlugin:
    (folder / SOURCE_FILE).write_text(document if isinstance(document, str) else json.dumps(document))
    surroundings = Surroundings(folder, AddressRule(loopback=True, private=True), "127.0.0.1")
    return await load(plugin(port, **api), surroundings)


@asynccontextmanager
async def shop(folder: Path, **api: Any) -> AsyncIterator[tuple[ShopApi, LoadedPlugin, Call]]:
    made = ShopApi()
    async with served(made.app) as url:
        given = await loaded(folder, url.rpartition(":")[2], **api)
        tools = {each.name: each for each in given.tools}

        async def call(name: str, **arguments: Any) -> ToolAnswer:
            return await tools[name].call(arguments)

        try:
            yield made, given, call
        finally:
            await given.close()


@pytest.mark.proves("Plugin.openapi.source.configMapRef.*", "Plugin.openapi.serviceRef.*")
async def test_operations_are_tools_whose_calls_are_requests_of_the_api(tmp_path: Path) -> None:
    async with shop(tmp_path) as (api, given, call):
        names = {each.name: each for each in given.tools}
        assert {"getOrder", "delete_orders_id", "create_order"} <= names.keys()
        assert (names["getOrder"].read_only, names["create_order"].read_only) == (True, False)
        assert names["delete_orders_id"].repeatable
        answer = await call("getOrder", id="a/b c", fields=["id", "x&y"], filter={"since": 1}, **{"X-Tenant": "acme"})
        assert answer == ToolAnswer('{"path":"/orders/a%2Fb%20c"}', {"path": "/orders/a%2Fb%20c"})
        await call("create_order", body={"item": None, "count": 2})
    asked = [(method, path, body) for method, path, _, body in api.requests]
    assert asked == [
        ("GET", "/orders/a%2Fb%20c?fields=id&fields=x%26y&filter[since]=1", None),
        ("POST", "/orders", {"item": None, "count": 2}),
    ]
    assert api.requests[0][2]["x-tenant"] == "acme"
    assert "upload (it takes only" not in given.note
    assert "POST /picture (it takes only image/png)" in given.note


@pytest.mark.proves("Plugin.openapi.tokenRef.*", "Plugin.openapi.headers[].*")
async def test_credentials_are_added_and_a_missing_one_is_told(tmp_path: Path) -> None:
    secret = {"name": "shop", "key": "token"}
    headers = [{"name": "X-Key", "secretRef": {"name": "shop", "key": "key"}}]
    (tmp_path / "headers").mkdir()
    (tmp_path / "headers/X-Key").write_text("k1")
    async with shop(tmp_path, tokenRef=secret, headers=headers) as (api, _, call):
        missing = await call("getOrder", id="1")
        (tmp_path / "headers/authorization").write_text("s3cret\n")
        await call("getOrder", id="1")
    assert missing.failed
    assert "create the Secret" in missing.text
    ((_, _, sent, _),) = api.requests
    assert (sent["authorization"], sent["x-key"]) == ("Bearer s3cret", "k1")


@pytest.mark.proves("Plugin.openapi.timeout")
async def test_whatever_an_api_answers_a_model_gets_bounded_text(tmp_path: Path) -> None:
    async with shop(tmp_path, timeout="1s") as (_, _, call):
        long = await call("long")
        assert long.text.endswith("[cut: the answer is longer than 256 KiB]")
        assert len(long.text) < 270_000
        assert await call("page") == ToolAnswer("Log in")
        assert await call("broken") == ToolAnswer('the API answered 404: {"detail":"no such thing"}', failed=True)
        assert "leads elsewhere (307)" in (await call("away")).text
        assert "image/png, which is no text" in (await call("picture")).text
        assert await call("slow") == ToolAnswer("the API gave no whole answer within 1 s", failed=True)


@pytest.mark.proves("Plugin.openapi.operations")
async def test_only_the_operations_that_are_wanted_are_tools(tmp_path: Path) -> None:
    given = await loaded(tmp_path, "80", operations=["getOrder", "DELETE /orders/{id}", "nothing"])
    assert sorted(each.name for each in given.tools) == ["delete_orders_id", "getOrder"]
    assert given.note == "the document has no operation nothing: see operations"
    await given.close()


@pytest.mark.proves("Plugin.openapi.baseURL", "Plugin.openapi.source.url")
async def test_a_document_is_fetched_and_a_base_url_wins_over_its_servers(tmp_path: Path) -> None:
    api = ShopApi()
    async with served(api.app) as url:
        port = url.rpartition(":")[2]
        with pytest.raises(PluginNotLoaded, match="and is of no version"):
            await load(
                plugin(port, source={"url": f"{url}/spec"}, serviceRef=None, baseURL=f"{url}/v1"),
                Surroundings(tmp_path, AddressRule(loopback=True)),
            )
        assert [path for _, path, _, _ in api.requests] == ["/spec"]
        given = await loaded(tmp_path, port, serviceRef=None, baseURL=f"{url}/v1")
        (get,) = [each for each in given.tools if each.name == "getOrder"]
        await get.call({"id": "7"})
        await given.close()
    assert api.requests[1][1] == "/v1/orders/7"


def known(document: dict[str, Any]) -> dict[str, ApiOperation]:
    return {each.name: each for each in operations_of(document, None).known}


def of(operations: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"openapi": "3.1.0", "paths": {"/x": operations}, **more}


def test_a_schema_that_contains_itself_is_finite_and_valid() -> None:
    schema = known(DOCUMENT)["create_order"].input_schema
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert validator.is_valid({"body": {"item": None, "parts": [{"item": "a", "count": 1}]}})
    assert not validator.is_valid({"body": {"item": "a", "parts": [{"count": 1}]}})
    assert not validator.is_valid({"body": {"item": "a", "count": 0}})
    assert "id" not in schema["$defs"]["Order"]["properties"]


def test_a_long_chain_of_references_and_a_wide_schema_are_bounded() -> None:
    chain = {f"S{at}": {"properties": {"next": {"$ref": f"#/components/schemas/S{at + 1}"}}} for at in range(5000)}
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/S0"}}}}
    document = of({"post": {"operationId": "post", "requestBody": body}}, components={"schemas": chain})
    assert known(document)["post"].input_schema["properties"] == {"body": {"type": "object"}}


def test_one_large_schema_in_each_of_many_operations_stays_small() -> None:
    big = {"properties": {f"f{at}": {"type": "string", "description": "x" * 40} for at in range(900)}}
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Big"}}}}
    paths = {f"/{at}": {"post": {"requestBody": body}} for at in range(100)}
    document = {"openapi": "3.1.0", "paths": paths, "components": {"schemas": {"Big": big}}}
    schemas = [each.input_schema for each in known(document).values()]
    assert len(schemas) == 100
    assert len(json.dumps(schemas)) < 100 * 32 * 1024


def test_names_that_are_long_or_collide_are_made_different() -> None:
    long = "x" * 100
    document = {
        "openapi": "3.1.0",
        "paths": {f"/{at}": {"get": {"operationId": each}} for at, each in enumerate(["a b", "a?b", long, long])},
    }
    names = list(known(document))
    assert len(set(names)) == 4
    assert max(map(len, names)) == 64
    assert names[0] == "a_b"


def test_a_reference_that_leads_nowhere_costs_its_operation_alone() -> None:
    bad = {"operationId": "bad", "parameters": [{"$ref": "other.yaml#/x"}]}
    found = operations_of(of({"get": bad, "post": {"operationId": "good"}}), None)
    assert [each.name for each in found.known] == ["good"]
    assert "GET /x (other.yaml#/x is outside the document" in found.note


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "id is missing"),
        ({"id": ".."}, "must not be . or .."),
        ({"id": "1", "admin": True}, "there is no argument admin"),
        ({"id": "1", "X-Tenant": "a\r\nX-Role: admin"}, "one line of ASCII"),
    ],
)
def test_arguments_that_make_no_request(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(WrongArguments, match=says):
        request_of(known(DOCUMENT)["getOrder"], arguments, "http://shop")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (b"x" * (20 * 2**20), "20971520 bytes, 4194304 at most"),
        (b"{", "neither JSON nor YAML"),
        (b"a: &a [1]\nb: *a", "aliases"),
        (b"[" * 100_000, "within each other"),
        (b'{"openapi": "3.1.0", "x": ' + b"[" * 900 + b"]" * 900 + b"}", "within each other"),
        (b"[1, 2]", "must be an object"),
        (b"swagger: '2.0'", "and is 2.0: convert it"),
        (b"\xff\xfe", "neither JSON nor YAML"),
    ],
)
def test_documents_that_cannot_be_read(source: bytes, says: str) -> None:
    with pytest.raises(PluginNotLoaded, match=says):
        read_document(source)


def test_yaml_is_read_as_json_has_it() -> None:
    text = yaml.safe_dump({"openapi": "3.0.1", "paths": {"/a": {"get": {"responses": {200: {"description": "x"}}}}}})
    assert read_document(text.encode())["paths"]["/a"]["get"]["responses"] == {"200": {"description": "x"}}
