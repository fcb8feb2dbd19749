"""The OpenAPI document: every path, body, event and error is in it, its examples are true, and it needs a key."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fastapi.routing import APIRoute

from slipway_runtime.events import MODELS
from slipway_runtime.gateway.app import create_app
from slipway_runtime.gateway.auth import new_key
from slipway_runtime.gateway.openapi.events import ANY
from slipway_runtime.gateway.openapi.problems import DETAILS
from slipway_runtime.problems import KINDS, Reason
from tests.runtime.gateway.conftest import CHAT, SUPPORT, Front, StartFront
from tests.support.chat import STREAM, events

Json = dict[str, Any]
GOLDEN = Path(__file__).parents[3] / "docs" / "reference" / "openapi.json"


@pytest.fixture(scope="module")
def document() -> Json:
    """The golden file, which `make generated` compares with the application."""
    read: Json = json.loads(GOLDEN.read_text())
    return read


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Method, path and description of everything in the document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def contents(document: Json) -> Iterator[tuple[str, Json]]:
    """The contents of bodies and responses, each with where it is."""
    for method, path, operation in operations(document):
        parts = {"body": operation.get("requestBody", {}), **operation["responses"]}
        for name, part in parts.items():
            for media_type, content in part.get("content", {}).items():
                yield f"{method} {path} {name} {media_type}", content


def resolved(document: Json, value: Json) -> Json:
    """What a reference stands for; anything else as it is."""
    if "$ref" not in value:
        return value
    found: Json = document
    for part in value["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def check(document: Json, schema: Json, example: object) -> None:
    """See that an example fits its schema."""
    jsonschema.Draft202012Validator({**schema, "components": document["components"]}).validate(example)


async def test_every_path_is_in_the_document_that_is_served(front: Front, document: Json) -> None:
    async with front.client.get("/openapi.json") as response:
        assert (response.status, response.content_type) == (200, "application/json")
        assert await response.json() == document
    served = {
        (method, route.path.replace(":path}", "}"))
        for route in create_app(front.gateway).routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    for_agents = ("POST", "/agents/{namespace}/{name}/runs")
    hidden = {(method, path) for method, path in served if method == "HEAD" or path == "/v1/{rest}"}
    hidden |= {("GET", "/docs/{asset}"), for_agents}
    hidden |= {(method, path) for method, path in served if path.endswith("/mcp")}  # which describes itself
    hidden |= {(method, path) for method, path in served if "/a2a" in path or path.startswith("/.well-known/")}
    hidden |= {
        (method, path)
        for method, path in served
        if path.startswith(("/workflows/", "/plugins/")) and path.endswith("{rest}")
    }
    assert {(method, path) for method, path, _ in operations(document)} == served - hidden
    assert ("POST", "/agents/{namespace}/{name}/chat") in served


async def test_a_key_is_needed_to_read_it(start_front: StartFront, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key, entry = new_key("alice")
    path.write_text(json.dumps({"keys": [entry.model_dump()]}))
    front = await start_front(auth_mode="apikeys", api_keys_file=path)
    for headers, status in (({}, 401), ({"X-API-Key": key}, 200)):
        async with front.client.get("/openapi.json", headers=headers) as response:
            assert response.status == status


def test_every_reason_has_an_example_and_a_path(document: Json) -> None:
    used = {
        reason
        for where, content in contents(document)
        if where.endswith("application/problem+json")
        for reason in content["examples"]
    }
    assert used == set(Reason) - {Reason.NOT_A_MEMBER, Reason.ORIGIN_NOT_ALLOWED}, "of agents' and MCP's paths"
    assert set(DETAILS) == set(Reason)
    for reason, example in document["components"]["examples"].items():
        value = example["value"]
        assert (value["reason"], value["status"]) == (reason, KINDS[Reason(reason)].status)
        check(document, {"$ref": "#/components/schemas/ProblemDetails"}, value)


def test_every_problem_is_under_its_status(document: Json) -> None:
    for method, path, operation in operations(document):
        for status, response in operation["responses"].items():
            for reason in response.get("content", {}).get("application/problem+json", {}).get("examples", ()):
                assert KINDS[Reason(reason)].status == int(status), f"{method} {path} {reason}"


def test_examples_fit_their_schemas(document: Json) -> None:
    for where, content in contents(document):
        schema = content["schema"]
        found = [resolved(document, example)["value"] for example in content.get("examples", {}).values()]
        found += [content["example"]] if "example" in content else []
        found += resolved(document, schema).get("examples", [])
        assert found or where in WITHOUT_EXAMPLE, where
        for example in found:
            check(document, schema, example)
    for _, path, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            check(document, parameter["schema"], parameter["example"])
            assert (parameter["in"] == "path") == (f"{{{parameter['name']}}}" in path)


WITHOUT_EXAMPLE = {"GET /openapi.json 200 application/json", "GET /docs 200 text/html"}
"""Answers too long for one."""


def test_every_event_has_a_schema_and_an_example(document: Json) -> None:
    schemas = document["components"]["schemas"]
    kinds = schemas[ANY]["discriminator"]["mapping"]
    assert kinds.keys() == MODELS.keys()
    for kind, reference in kinds.items():
        schema = resolved(document, {"$ref": reference})
        (example,) = schema["examples"]
        assert schema["description"]
        assert example["type"] == kind
        check(document, {"$ref": f"#/components/schemas/{ANY}"}, example)
        MODELS[kind].model_validate(example)  # strict: no field that does not exist


async def test_what_is_sent_fits_the_schemas(front: Front, document: Json) -> None:
    async with front.client.post(CHAT, json={"question": "ask me, then say 2 words"}, headers=STREAM) as response:
        async for number, event in events(response):
            check(document, {"$ref": f"#/components/schemas/{ANY}"}, event.to_json())
            if event.type == "input_required":
                path = f"/agents/{SUPPORT}/runs/{number.run}/input/go"
                async with front.client.post(path, json={"approved": True}) as given:
                    check(document, {"$ref": "#/components/schemas/GivenInput"}, await given.json())
