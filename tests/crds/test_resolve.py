"""Resolving is pure, and its digest moves with the meaning of a manifest, not with how it is written."""

from typing import Any

import pytest

from slipway_crds.agents.model import Agent
from slipway_crds.bindings import bindings_of
from slipway_crds.references import Objects, by_ref
from slipway_crds.resolve import (
    ResolveProblem,
    Severity,
    egress_warnings,
    resolve,
    resolve_agent,
    runtime_config,
)
from slipway_crds.runtimeconfig import AgentConfig, ApprovalConfig, CustomConfig, WebSearchConfig
from tests.support.resolving import agent, index

INDEXES = by_ref([index(), index(name="laws")])


def resolved(one: Agent, objects: Objects = INDEXES) -> AgentConfig:
    config = resolve_agent(one, objects)
    assert isinstance(config, AgentConfig)
    return config


def digest(one: Agent, objects: Objects = INDEXES) -> str:
    return runtime_config(resolved(one, objects)).digest()


def test_an_agent_resolves_to_its_semantic_inputs() -> None:
    assert resolved(
        agent(
            knowledge=[
                {"name": "law", "indexRef": {"name": "laws"}, "topK": 3, "minScore": "0.3"},
                {"name": "handbook", "indexRef": {"name": "handbook"}},
            ],
            sessions={"ttl": "1h30m", "maxTurns": 7},
            limits={"inFlight": 3, "requestTimeout": "90s"},
        )
    ).model_dump() == {
        "namespace": "demo",
        "name": "support",
        "architecture": "langgraph",
        "knowledge": (
            {"name": "handbook", "index": "handbook", "top_k": 5, "min_score": 0.45},
            {"name": "law", "index": "laws", "top_k": 3, "min_score": 0.3},
        ),
        "session_ttl_seconds": 5400,
        "session_max_turns": 7,
        "in_flight": 3,
        "request_timeout_seconds": 90,
        "session_redis": None,
        "models": (),
        "instructions": "",
        "output_schema": None,
        "max_steps": 20,
        "max_tokens": None,
        "tools": (),
        "plugins": (),
        "middleware": (),
        "remote_members": (),
        "web_search": None,
        "approvals": (),
        "custom": None,
    }


@pytest.mark.proves("Agent.knowledge[].indexRef.name")
def test_a_missing_index_is_waited_for_by_name() -> None:
    missing = agent(
        knowledge=[
            {"name": "one", "indexRef": {"name": "nowhere"}},
            {"name": "two", "indexRef": {"name": "handbook"}},
            {"name": "three", "indexRef": {"name": "gone"}},
        ]
    )
    problems = resolve_agent(missing, INDEXES)
    assert not isinstance(problems, AgentConfig)
    assert [problem.path for problem in problems] == [
        "spec.knowledge[0].indexRef.name",
        "spec.knowledge[2].indexRef.name",
    ]
    assert problems[0] == ResolveProblem(
        severity=Severity.WAITING,
        subject="Agent demo/support",
        path="spec.knowledge[0].indexRef.name",
        reason="WaitingForIndex",
        message="there is no VectorIndex nowhere in namespace demo: apply it, or correct the name",
    )


TWO = [{"name": "a", "indexRef": {"name": "handbook"}}, {"name": "b", "indexRef": {"name": "laws"}}]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"knowledge": TWO}, {"knowledge": TWO[::-1]}),
        ({"sessions": {"ttl": "24h"}}, {"sessions": {"ttl": "1440m"}}),
        ({"limits": {"requestTimeout": "60s"}}, {"limits": {"requestTimeout": "1m"}}),
        (
            {"knowledge": [{**TWO[0], "minScore": "0.4"}]},
            {"knowledge": [{**TWO[0], "minScore": "0.400"}]},
        ),
        ({}, {"scaling": {"min": 3, "max": 9}}),
        ({}, {"pod": {"resources": {"requests": {"cpu": "500m"}}}}),
        ({}, {"sessions": {}, "limits": {"inFlight": 20}}),
    ],
)
def test_the_digest_stays_when_only_the_writing_or_the_pods_change(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert digest(agent(**left)) == digest(agent(**right))


@pytest.mark.parametrize(
    "changed",
    [
        {"knowledge": [{"name": "handbook", "indexRef": {"name": "laws"}}]},
        {"knowledge": [{"name": "handbook", "indexRef": {"name": "handbook"}, "topK": 6}]},
        {"knowledge": [{"name": "handbook", "indexRef": {"name": "handbook"}, "minScore": "0.5"}]},
        {"sessions": {"ttl": "1h"}},
        {"sessions": {"maxTurns": 2}},
        {"limits": {"inFlight": 2}},
        {"limits": {"requestTimeout": "5s"}},
    ],
)
def test_the_digest_moves_with_what_changes_answers(changed: dict[str, Any]) -> None:
    assert digest(agent(**changed)) != digest(agent())


def test_the_local_driver_serves_what_resolves_and_names_what_does_not() -> None:
    config, problems = resolve(
        [
            *(agent("two"), agent("one", "zeta"), agent("one"), agent("three"), agent("one", "twin")),
            *(agent("one", "twin"), index("one"), index("two")),
        ]
    )
    assert [(one.namespace, one.name) for one in config.agents] == [
        ("one", "support"),
        ("one", "zeta"),
        ("two", "support"),
    ]
    assert [(problem.subject, problem.severity, problem.reason) for problem in problems] == [
        ("Agent one/twin", Severity.STALLED, "DuplicateName"),
        ("Agent three/support", Severity.WAITING, "WaitingForIndex"),
    ]


KEY = {"apiKeyRef": {"name": "keys", "key": "OPENAI_API_KEY"}}
GPT = {"name": "gpt", "provider": "openai", "model": "gpt-5-mini", **KEY}
OWN = {"name": "own", "provider": "openai-compatible", "model": "qwen", "baseURL": "http://llm.models.svc:8000/v1"}


def team(name: str, *members: str) -> Agent:
    refs = [{"agentRef": {"name": member}} for member in members]
    return agent(name=name, architecture="orchestrator", knowledge=[], members=refs)


@pytest.mark.proves("Agent.members[].agentRef.name")
def test_a_missing_member_is_waited_for_by_name() -> None:
    known = {**INDEXES, **by_ref([agent(name="hr")])}
    problems = resolve_agent(team("lead", "hr", "it"), known)
    assert not isinstance(problems, AgentConfig)
    assert [(each.severity, each.reason, each.path) for each in problems] == [
        (Severity.WAITING, "WaitingForAgent", "spec.members[1].agentRef.name")
    ]
    assert digest(team("lead", "hr"), known) == digest(
        team("lead", "hr", "it"), {**known, **by_ref([agent(name="it")])}
    )


@pytest.mark.proves("Agent.members[].name")
@pytest.mark.proves("Agent.members[].url")
def test_a_member_elsewhere_is_configuration_and_nobody_waits_for_it() -> None:
    members = [{"name": "tax", "url": "https://tax.example.org:8443/a2a"}, {"agentRef": {"name": "hr"}}]
    lead = agent(name="lead", architecture="orchestrator", knowledge=[], members=members)
    config = resolve_agent(lead, by_ref([agent(name="hr")]))
    assert isinstance(config, AgentConfig)
    assert [(each.name, each.url) for each in config.remote_members] == [("tax", "https://tax.example.org:8443/a2a")]
    assert bindings_of(lead).members == ("hr",)
    assert not egress_warnings(lead)
    private = [{"name": "tax", "url": "http://tax.other.svc:8000/a2a"}]
    (warning,) = egress_warnings(agent(name="lead", architecture="orchestrator", knowledge=[], members=private))
    assert (warning.path, warning.reason) == ("spec.members[0].url", "EgressMissing")


def asking(name: str, *asked: str, **fields: Any) -> Agent:
    tools = [{"name": f"ask-{each}", "agentRef": {"name": each}, **fields} for each in asked]
    return agent(name=name, architecture="pydantic-ai", knowledge=[], models=[OWN], tools=tools)


@pytest.mark.proves("Agent.tools[].*")
def test_tools_resolve_by_name_and_a_missing_agent_is_waited_for() -> None:
    known = by_ref([agent(name="hr"), agent(name="it")])
    config = resolve_agent(asking("lead", "it", "hr"), known)
    assert isinstance(config, AgentConfig)
    assert [(each.name, each.agent, each.description, each.required) for each in config.tools] == [
        ("ask-hr", "hr", "Ask the agent hr.", False),
        ("ask-it", "it", "Ask the agent it.", False),
    ]
    described = resolve_agent(asking("lead", "hr", description="Knows leave.", required=True), known)
    assert isinstance(described, AgentConfig)
    assert (described.tools[0].description, described.tools[0].required) == ("Knows leave.", True)
    problems = resolve_agent(asking("lead", "hr", "law"), known)
    assert not isinstance(problems, AgentConfig)
    assert [(each.severity, each.reason, each.path) for each in problems] == [
        (Severity.WAITING, "WaitingForAgent", "spec.tools[1].agentRef.name")
    ]
    assert bindings_of(asking("lead", "hr", "it")).members == ("hr", "it")


@pytest.mark.proves("Agent.approvals[].*")
def test_approvals_resolve_by_tool_and_make_a_revision() -> None:
    base: dict[str, Any] = {"architecture": "pydantic-ai", "models": [OWN]}
    given = [{"tool": "search_documents", "groups": ["leads", "a", "leads"], "expires": "2h"}]
    config = resolved(agent(**base, approvals=given))
    assert config.approvals == (ApprovalConfig(tool="search_documents", groups=("a", "leads"), seconds=7200),)
    assert digest(agent(**base, approvals=given)) != digest(agent(**base))
    assert digest(agent(**base, approvals=[{"tool": "search_documents"}])) != digest(agent(**base, approvals=given))


def test_another_image_or_entry_point_is_another_revision() -> None:
    code = {"entryPoint": "desk:make"}
    base: dict[str, Any] = {"architecture": "custom", "knowledge": []}
    config = resolved(agent(**base, custom={**code, "image": "registry.test/desk:1"}))
    assert config.custom == CustomConfig(entry_point="desk:make", image="registry.test/desk:1")
    specs = (code, {**code, "image": "registry.test/desk:1"}, {**code, "image": "registry.test/desk:2"})
    other = {"entryPoint": "desk:other"}
    assert len({digest(agent(**base, custom=each)) for each in (*specs, other)}) == 4


def test_a_web_search_makes_a_revision_and_its_key_makes_none() -> None:
    search = {"provider": "brave", "apiKeyRef": {"name": "keys", "key": "KEY"}}
    base: dict[str, Any] = {"architecture": "pydantic-ai", "models": [OWN]}
    config = resolved(agent(**base, webSearch=search))
    assert config.web_search == WebSearchConfig(provider="brave")
    other_key = {**search, "apiKeyRef": {"name": "keys-2", "key": "KEY"}}
    assert digest(agent(**base, webSearch=search)) == digest(agent(**base, webSearch=other_key))
    assert digest(agent(**base, webSearch=search)) != digest(agent(**base, webSearch={**search, "required": True}))
    assert digest(agent(**base, webSearch=search)) != digest(agent(**base))


@pytest.mark.parametrize(
    ("agents", "stalled"),
    [
        ([team("lead", "hr"), agent(name="hr")], {}),
        ([team("lead", "a", "b"), team("a", "c"), team("b", "c"), agent(name="c")], {}),
        ([team("lead", "lead")], {"lead": "lead asks lead"}),
        ([team("lead", "a"), team("a", "lead")], {"a": "a asks lead asks a", "lead": "lead asks a asks lead"}),
        ([asking("lead", "lead")], {"lead": "lead asks lead"}),
        ([team("lead", "a"), asking("a", "lead")], {"a": "a asks lead asks a", "lead": "lead asks a asks lead"}),
        (
            [team("lead", "a"), team("a", "hr", "b"), team("b", "a"), agent(name="hr")],
            {"a": "a asks b asks a", "b": "b asks a asks b"},
        ),
    ],
)
def test_agents_that_would_ask_each_other_for_ever_are_stalled(agents: list[Agent], stalled: dict[str, str]) -> None:
    _, problems = resolve([*agents, index()])
    assert {
        each.subject.removeprefix("Agent demo/"): each.message.partition(",")[0]
        for each in problems
        if (each.severity, each.reason) == (Severity.STALLED, "CyclicMembers")
    } == stalled
    assert len(problems) == len(stalled)


@pytest.mark.proves("Agent.models[].*", "Agent.instructions", "Agent.limits.max*", "Agent.output.schema")
def test_models_resolve_in_their_order_with_all_that_changes_answers() -> None:
    settings = {"temperature": "0.2", "topP": "1.0", "maxTokens": 500}
    own = {**OWN, "timeout": "1m", "contextTokens": 8192, "images": True, "settings": settings}
    config = resolved(
        agent(
            architecture="pydantic-ai",
            knowledge=[],
            models=[{**own, "roles": ["structured_output", "fast_routing"]}, GPT],
            instructions="Answer briefly.",
            limits={"maxSteps": 3, "maxTokens": 9000},
            output={"schema": {"type": "object", "properties": {"b": {}, "a": {}}}},
        )
    )
    assert config.model_dump(exclude_defaults=True, exclude={"namespace", "name", "knowledge"}) == {
        "architecture": "pydantic-ai",
        "session_ttl_seconds": 86400,
        "session_max_turns": 50,
        "in_flight": 20,
        "request_timeout_seconds": 60,
        "models": (
            {
                "name": "own",
                "provider": "openai-compatible",
                "model": "qwen",
                "base_url": "http://llm.models.svc:8000/v1",
                "timeout_seconds": 60,
                "context_tokens": 8192,
                "images": True,
                "settings": {"temperature": 0.2, "max_tokens": 500, "top_p": 1.0},
                "roles": ("fast_routing", "structured_output"),
            },
            {"name": "gpt", "provider": "openai", "model": "gpt-5-mini"},
        ),
        "instructions": "Answer briefly.",
        "output_schema": '{"type":"object","properties":{"b":{},"a":{}}}',
        "max_steps": 3,
        "max_tokens": 9000,
    }


@pytest.mark.parametrize(
    ("knowledge", "digest_of_yesterday"),
    [
        ([{"name": "handbook", "indexRef": {"name": "handbook"}}], "e7462b36d0"),
        ([{"name": "law", "indexRef": {"name": "laws"}, "topK": 3, "minScore": "0.3"}], "0b5919f9ca"),
    ],
)
def test_an_agent_without_models_keeps_its_revision(knowledge: list[Any], digest_of_yesterday: str) -> None:
    assert digest(agent(knowledge=knowledge)) == digest_of_yesterday


@pytest.mark.parametrize(
    "changed",
    [
        {"models": [OWN, GPT]},
        {"models": [{**GPT, "model": "gpt-5"}]},
        {"models": [{**GPT, "timeout": "31s"}]},
        {"models": [{**GPT, "settings": {"topP": "0.5"}}]},
        {"models": [{**GPT, "roles": ["fast_routing"]}]},
        {"models": [{**GPT, "baseURL": "https://proxy.example.com/v1"}]},
        {"instructions": "Answer in French."},
        {"limits": {"maxSteps": 2}},
    ],
)
def test_the_digest_moves_with_the_models(changed: dict[str, Any]) -> None:
    assert digest(agent(**{"models": [GPT]} | changed)) != digest(agent(models=[GPT]))


@pytest.mark.parametrize(
    "changed",
    [
        {"models": [{**GPT, "apiKeyRef": {"name": "other", "key": "k"}}]},
        {"models": [{**GPT, "price": {"input": "1", "output": "2"}}]},
        {"models": [{**GPT, "tls": {"caBundleRef": {"name": "ca", "key": "ca.crt"}}}]},
        {"description": "Answers.", "capabilities": ["quotes"]},
        {"telemetry": {"content": True}},
        {"egress": [{"cidr": "10.0.0.0/8", "ports": [443]}]},
    ],
)
def test_the_digest_stays_when_keys_prices_and_the_network_change(changed: dict[str, Any]) -> None:
    assert digest(agent(**{"models": [GPT]} | changed)) == digest(agent(models=[GPT]))


@pytest.mark.parametrize(
    ("spec", "path", "reason"),
    [
        (
            {"architecture": "pydantic-ai", "models": [GPT], "output": {"schema": {"type": "objekt"}}},
            "spec.output.schema",
            "InvalidSchema",
        ),
        (
            {"egress": [{"cidr": "10.0.0.0/8", "ports": [1]}, {"cidr": "10.0.0.0/33", "ports": [1]}]},
            "spec.egress[1].cidr",
            "InvalidEgress",
        ),
        (
            {"egress": [{"namespace": "models", "podLabels": {"app": "l l m"}, "ports": [1]}]},
            "spec.egress[0].podLabels",
            "InvalidEgress",
        ),
    ],
)
def test_what_a_crd_cannot_check_stalls_the_agent(spec: dict[str, Any], path: str, reason: str) -> None:
    problems = resolve_agent(agent(**spec), INDEXES)
    assert isinstance(problems, tuple)
    assert [(each.severity, each.path, each.reason) for each in problems] == [(Severity.STALLED, path, reason)]


def test_a_tool_may_be_an_agent_elsewhere_which_nobody_waits_for() -> None:
    own = {"name": "own", "provider": "openai-compatible", "model": "m", "baseURL": "http://llm.ai.svc:8000/v1"}
    tools = [{"name": "ask-tax", "url": "https://tax.example.org/a2a"}]
    config = resolve_agent(agent(architecture="pydantic-ai", knowledge=[], models=[own], tools=tools), {})
    assert isinstance(config, AgentConfig)
    (tool,) = config.tools
    assert (tool.agent, tool.url, tool.description) == ("", "https://tax.example.org/a2a", "Ask the agent ask-tax.")
