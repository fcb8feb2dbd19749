"""Requests generated from the OpenAPI document: each gets an answer that the document has, and none of them is a 500.

Half of the values are those of runs and sessions that exist, since one that is made up leads no further than a 404.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.runtime.gateway.conftest import CHAT, SUPPORT, Front, StartFront, StartHost

GOLDEN = Path(__file__).parents[3] / "docs" / "reference" / "openapi.json"
SCHEMA = schemathesis.openapi.from_dict(json.loads(GOLDEN.read_text()))
OPERATIONS = sorted(
    (path, method.upper())
    for path, methods in SCHEMA.raw_schema["paths"].items()
    for method in methods
    if path != "/docs"  # no JSON
)
CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
NEVER = ("die", "fail")
"""What would have the scripted agent kill the test's process, or fail."""

# Hypothesis watches the `random` module, which the gateway uses at the same time in the event loop's thread.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module")

Known = dict[str, list[str]]


@pytest.fixture
async def served(start_front: StartFront, start_host: StartHost) -> tuple[Front, Known]:
    """A gateway and a host, with a run in each state; and what there is, by the name of the parameter."""
    _, url = await start_host()
    front = await start_front(default_agent=str(SUPPORT), smart_agent=str(SUPPORT))
    front.routes.set(SUPPORT, [url])
    runs, sessions = [], []
    for question in ("say 2 words", "ask me, then say 2 words", "ask me again"):
        async with front.client.post(CHAT, json={"question": question}) as response:
            answer = await response.json()
        runs.append(answer["run_id"])
        sessions.append(answer["session_id"])
    async with front.client.delete(f"/agents/{SUPPORT}/runs/{runs[-1]}") as response:
        assert response.status == 204
    found = {"namespace": ["demo"], "name": ["support"], "run": runs, "session": sessions, "input": ["go"]}
    found |= {"index": ["handbook"], "document": ["a" * 32]}
    found["model"] = [str(SUPPORT)]
    return front, found


def known_values(known: Known) -> st.SearchStrategy[dict[str, str | None]]:
    """For each parameter one that exists, or none for the generated one. The agent mostly exists."""
    often = {name: [*values * (5 if name in ("namespace", "name") else 1), None] for name, values in known.items()}
    return st.fixed_dictionaries({name: st.sampled_from(values) for name, values in often.items()})


def use(case: Any, values: dict[str, str | None], known: Known) -> None:
    """Put what exists into a generated request."""
    for name in case.path_parameters or ():
        if value := values.get(name):
            case.path_parameters[name] = value
    if not isinstance(case.body, dict):
        return
    assume(not any(word in str(case.body.get("question")) for word in NEVER))
    if "session_id" in case.body and values["session"]:
        case.body["session_id"] = values["session"]
        assume(not case.query or "wait" not in case.query)  # for a session that may be busy for as long as the test


def ask_all(url: str, path: str, method: str, mode: GenerationMode, known: Known, *, examples: int) -> None:
    """Send generated requests to one operation, and check every answer."""
    strategy = SCHEMA[path][method].as_strategy(generation_mode=mode)

    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy, values=known_values(known))
    def check(case: Any, values: dict[str, str | None]) -> None:
        use(case, values, known)
        response = case.call(base_url=url, timeout=30)
        case.validate_response(response, checks=CHECKS)

    check()


def modes(path: str, method: str) -> list[GenerationMode]:
    """Right requests, and wrong ones where anything can be wrong."""
    operation = SCHEMA.raw_schema["paths"][path][method.lower()]
    given_something = operation.keys() & {"parameters", "requestBody", "security"}
    return list(GenerationMode) if given_something else [GenerationMode.POSITIVE]


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
async def test_every_answer_is_documented(served: tuple[Front, Known], path: str, method: str) -> None:
    front, known = served
    for mode in modes(path, method):
        await asyncio.to_thread(ask_all, front.url, path, method, mode, known, examples=10)


@pytest.mark.deep
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
async def test_every_answer_to_many_requests_is_documented(served: tuple[Front, Known], path: str, method: str) -> None:
    front, known = served
    for mode in modes(path, method):
        await asyncio.to_thread(ask_all, front.url, path, method, mode, known, examples=300)
