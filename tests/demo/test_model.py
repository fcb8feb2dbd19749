"""`make demo MODEL=...`: the model is checked before anything is started, and its key is printed nowhere."""

from collections.abc import Sequence
from typing import Any

import pytest

from slipway_crds.agents.model import Agent
from slipway_crds.manifests import load_paths
from slipway_crds.resolve import egress_warnings
from slipway_crds.validate import validate_set
from slipway_demo import cli, clusters
from slipway_demo.errors import DemoError
from slipway_demo.model import DemoModel, answered_by, parse
from slipway_demo.paths import HANDBOOK

KEY = "sk-marker"


def test_a_model_has_its_key_from_the_environment() -> None:
    model = parse("openai:gpt-5-mini", {"OPENAI_API_KEY": f" {KEY}\n"})
    assert (model.provider, model.name, model.key) == ("openai", "gpt-5-mini", KEY)
    assert parse("anthropic:claude-x:1", {"ANTHROPIC_API_KEY": KEY}).name == "claude-x:1"
    assert KEY not in repr(model)


@pytest.mark.parametrize(
    ("text", "environment", "says"),
    [
        ("openai:gpt-5-mini", {}, "OPENAI_API_KEY is not set"),
        ("openai:gpt-5-mini", {"OPENAI_API_KEY": " "}, "OPENAI_API_KEY is not set"),
        ("openai", {"OPENAI_API_KEY": KEY}, "write provider:model, like openai:gpt-5-mini"),
        ("openai:", {"OPENAI_API_KEY": KEY}, "write provider:model"),
        ("acme:x", {}, "openai, anthropic, google, openai-compatible"),
        ("openai-compatible:llama", {}, "MODEL_BASE_URL=http://llm.models.svc:8000/v1"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_to_do(text: str, environment: dict[str, str], says: str) -> None:
    with pytest.raises(DemoError, match=says):
        parse(text, environment)


def test_a_missing_key_is_noticed_before_a_cluster_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(**_: object) -> Any:
        raise AssertionError("the key was to be looked at first")

    monkeypatch.setattr(clusters, "choose", chosen)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(DemoError, match="OPENAI_API_KEY is not set"):
        cli.up(model="openai:gpt-5-mini")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("llm.models.svc:8000/v1", r"spec\.models\[0\]\.baseURL"),
        ("http://169.254.169.254/v1", "must not be a link-local address"),
    ],
)
def test_an_address_that_no_agent_may_have_is_refused_at_once(url: str, says: str) -> None:
    with pytest.raises(DemoError, match=says):
        parse("openai-compatible:llama", {}, base_url=url)


def test_an_address_without_a_model_is_refused() -> None:
    with pytest.raises(DemoError, match="MODEL=openai-compatible:"):
        cli.up(model_base_url="http://llm.models.svc:8000/v1")


@pytest.mark.parametrize(
    ("url", "egress"),
    [
        ("", None),
        ("https://llm.example.com/v1", None),
        ("http://llm.models.svc:8000/v1", [{"namespace": "models", "ports": [8000]}]),
        ("http://10.1.2.3:11434/v1", [{"cidr": "10.1.2.3/32", "ports": [11434]}]),
    ],
)
def test_a_server_of_ones_own_is_reached(url: str, egress: list[dict[str, Any]] | None) -> None:
    with answered_by(DemoModel("openai", "gpt-5-mini", KEY, url), HANDBOOK, namespace="demo") as folder:
        (document,) = load_paths([folder / "agent.yaml"])
    agent = Agent.model_validate(document.value)
    assert agent.spec.models[0].base_url == (url or None)
    assert [each.model_dump(exclude_none=True) for each in agent.spec.egress] == (egress or [])
    assert egress_warnings(agent) == ()


def test_a_server_of_ones_own_may_need_no_key() -> None:
    model = parse("openai-compatible:llama", {}, base_url="http://llm.models.svc:8000/v1")
    assert "apiKeyRef" not in model.entry()
    assert model.secrets("demo") == []


def test_the_manifests_are_valid_and_name_the_secret() -> None:
    model = DemoModel("anthropic", "claude-sonnet-4-5", KEY)
    with answered_by(model, HANDBOOK, namespace="demo") as folder:
        documents = load_paths([folder])
        assert KEY not in "".join(each.read_text() for each in folder.iterdir())
    assert [str(finding) for finding in validate_set(documents)] == []
    values: Sequence[Any] = [each.value for each in documents]
    (agent,) = [each for each in values if each["kind"] == "Agent"]
    (entry,) = agent["spec"]["models"]
    (secret,) = model.secrets("demo")
    assert entry["apiKeyRef"]["name"] == secret["metadata"]["name"]
    assert secret["stringData"] == {entry["apiKeyRef"]["key"]: KEY}
