"""The JSON bodies that the gateway answers with, as the document describes them. What they say is made elsewhere."""

from collections.abc import Mapping
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, JsonValue

from slipway_runtime.events import Citation, ModelUsage
from slipway_runtime.problems import Reason

RUN_ID = "9b2c4f0e6a7d4c1f8e3b5a6d7c8e9f01"
SESSION_ID = "5f0d9c1e-7a41-4f0e-9a55-0c7f1d2b3a4c"
CITATION = {
    "index": "docs",
    "source": "docs",
    "document": "http-api.md",
    "heading": "HTTP interface > Sessions",
    "start": 812,
    "end": 861,
    "quote": "A session is kept for 24 hours after its last use.",
    "score": 0.83,
}


class Body(BaseModel):
    """Base of bodies: attribute docstrings are the fields' descriptions."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="allow")


def example(**fields: object) -> ConfigDict:
    """Configuration of a model with one example."""
    return ConfigDict(json_schema_extra={"examples": cast("list[JsonValue]", [fields])})


class UsageTotal(Body):
    """What all steps of a run used."""

    retrieved_chunks: int
    embedded_texts: int
    models: list[ModelUsage] | None = None
    """Left out where no model was asked."""


class ChatAnswer(Body):
    """The answer to a question."""

    model_config = example(
        answer="A session is kept for 24 hours after its last use.",
        abstained=False,
        agent_used="demo/support",
        sources=[CITATION],
        session_id=SESSION_ID,
        run_id=RUN_ID,
        usage={"retrieved_chunks": 5, "embedded_texts": 1},
    )
    answer: str
    abstained: bool
    """True if the documents do not answer the question."""
    agent_used: str | None
    """`namespace/name`. Of an orchestrator's answer the member that gave it."""
    orchestration: dict[str, Any] | None = None
    """Who was chosen and why. Left out for other agents than orchestrators."""
    sources: list[Citation]
    session_id: str | None
    """Send it with the next question to continue the conversation."""
    run_id: str
    usage: UsageTotal | None


class AskedInput(Body):
    """What a run waits for. Fields that are not set are left out."""

    id: str
    kind: Literal["approval", "form", "client_tools"]
    prompt: str | None = None
    answer_schema: Mapping[str, Any] | None = None
    """JSON Schema of the answer."""
    calls: list[Mapping[str, Any]] | None = None
    answerers: list[str]
    """Who may answer: `caller`, or `group:NAME`."""
    expires: float
    """Seconds since 1970."""


class WaitingRun(Body):
    """A run that waits for somebody."""

    model_config = example(
        state="waiting",
        input_required={
            "id": "go",
            "kind": "approval",
            "prompt": "Restart the pump?",
            "answerers": ["caller"],
            "expires": 1767225600.0,
        },
        answer_at=f"/agents/demo/support/runs/{RUN_ID}/input/go",
        run_at=f"/agents/demo/support/runs/{RUN_ID}",
        agent_used="demo/support",
        session_id=SESSION_ID,
        run_id=RUN_ID,
    )
    state: Literal["waiting"]
    input_required: AskedInput
    answer_at: str
    """Where to POST the input."""
    run_at: str | None
    """Where to read the run."""
    agent_used: str | None
    session_id: str | None
    run_id: str


class GivenInput(Body):
    """An input that was given."""

    model_config = example(run_id=RUN_ID, input="go", approved=True)
    run_id: str
    input: str
    approved: bool


RunState = Literal["running", "waiting", "done", "failed", "cancelled"]


class ListedRun(Body):
    """A run in a list."""

    run_id: str
    session_id: str | None
    question: str
    created: float
    """Seconds since 1970."""
    state: RunState
    waits_until: float | None
    """When the input that it waits for counts as denied, in seconds since 1970."""


class RunList(Body):
    """A page of the caller's runs, newest first."""

    model_config = example(
        runs=[
            {
                "run_id": RUN_ID,
                "session_id": SESSION_ID,
                "question": "How long is a session kept?",
                "created": 1767139200.5,
                "state": "done",
                "waits_until": None,
            }
        ],
        next_page=None,
    )
    runs: list[ListedRun]
    next_page: str | None
    """Send it as `?page=` to get the next page; null on the last one."""


class SessionTurn(Body):
    """One question of a session and its answer."""

    run_id: str
    question: str
    created: float
    """Seconds since 1970."""
    outcome: RunState
    answer: str | None
    abstained: bool | None
    sources: list[Citation]


class SessionTurns(Body):
    """A session, oldest question first."""

    model_config = example(
        session_id=SESSION_ID,
        agent="demo/support",
        created=1767139200.5,
        expires=1767225600.5,
        turns=[
            {
                "run_id": RUN_ID,
                "question": "How long is a session kept?",
                "created": 1767139200.5,
                "outcome": "done",
                "answer": "A session is kept for 24 hours after its last use.",
                "abstained": False,
                "sources": [CITATION],
            }
        ],
    )
    session_id: str
    agent: str
    created: float
    """Seconds since 1970."""
    expires: float
    """Seconds since 1970."""
    turns: list[SessionTurn]


class ListedAgent(Body):
    """An agent that the caller may see."""

    namespace: str
    name: str
    ready: bool
    """Whether a pod is ready."""
    architecture: str | None
    revision: str | None
    """The one that serves; null while none does."""
    health: str
    """The phase of the Agent."""
    description: str
    """What the agent is for; empty if its manifest does not say so."""
    capabilities: list[str]
    """What the agent is good at, in words."""
    knowledge: list[str]
    """Names of the indexes that it answers from."""
    tools: list[str]
    """Names of the tools that it may use while it answers."""


class AgentList(Body):
    """The agents that the caller may see."""

    model_config = example(
        agents=[
            {
                "namespace": "demo",
                "name": "support",
                "ready": True,
                "architecture": "langgraph",
                "revision": "support-5c9f8d7b6a",
                "health": "Ready",
                "description": "Answers questions about orders and returns.",
                "capabilities": ["complex_workflow", "state_management"],
                "knowledge": ["orders"],
                "tools": [],
            }
        ]
    )
    agents: list[ListedAgent]


class Readiness(Body):
    """Whether the gateway can serve."""

    model_config = example(ready=False, missing=["the list of agents has not been read yet"])
    ready: bool
    missing: list[str]
    """A sentence for each thing that is not there yet."""


class ProblemDetails(Body):
    """Why a request was refused or failed (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    """What to do."""
    reason: Reason
    """Stable; programs may compare it. A newer version may have more of them."""
