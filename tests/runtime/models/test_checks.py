"""What is reported about models before anybody asks them."""

from pathlib import Path

import pytest

from slipway_crds.runtimeconfig import ModelBinding
from slipway_runtime.models import agent_models
from slipway_runtime.problems import Problem
from tests.support.model_server import Reply, model_server
from tests.support.models import NAMES, ask, entry, make_models

PROVIDERS = ("openai", "openai-compatible", "anthropic", "google")


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_what_a_provider_says_for_nothing(provider: str, tmp_path: Path) -> None:
    name = NAMES.get(provider, "test-model")
    key = tmp_path / "key"
    key.write_text("a-key")
    bindings = {"first": ModelBinding(api_key_file=str(key))}
    with model_server("Never.", key="a-key", models=[name]) as server:
        assert await make_models(entry(server, provider), bindings=bindings).problems() == []
        (unknown,) = await make_models(entry(server, provider, model="other"), bindings=bindings).problems()
        key.write_text("wrong-key")
        (refused,) = await make_models(entry(server, provider), bindings=bindings).problems()
        key.unlink()
        (missing,) = await make_models(entry(server, provider), bindings=bindings).problems()
        assert server.requests == [], "nothing was paid for"
        assert server.probes
    assert unknown.startswith(f"model first ({provider}:other): there is no model other at http://127.0.0.1:")
    assert "write a valid key into the Secret that apiKeyRef names" in refused
    assert "create the Secret that apiKeyRef names" in missing
    assert "wrong-key" not in refused


async def test_a_provider_that_is_busy_is_no_problem_and_one_that_is_not_there_is() -> None:
    with model_server("Never.") as server:
        models = make_models(entry(server))
    (problem,) = await models.problems()
    assert "cannot be reached" in problem
    assert "egress" in problem


async def test_bedrock_is_judged_by_its_last_request() -> None:
    with model_server([Reply(fault="refused_key"), Reply("Fine.")]) as server:
        models = make_models(entry(server, "bedrock"))
        assert await models.problems() == []
        models._checked = None
        with pytest.raises(Problem):
            await ask(models)
        (problem,) = await models.problems()
        assert "refused the API key" in problem
        models._checked = None
        await ask(models)
        assert await models.problems() == []


async def test_a_pod_without_an_identity_is_a_failure_of_the_model_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Bedrock's SDK finds no credentials: the next model answers, and the status says what to do."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with model_server("Fine.", models=["test-model"]) as server:
        alone = make_models(entry(server, "bedrock"))
        with pytest.raises(Problem, match="give the pod's ServiceAccount"):
            await ask(alone)
        (problem,) = await alone.problems()
        assert "give the pod's ServiceAccount" in problem
        result, _ = await ask(make_models(entry(server, "bedrock"), entry(server, name="second")))
    assert result.output == "Fine."


async def test_providers_are_asked_once_in_thirty_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    with model_server("Never.", models=["test-model"]) as server:
        models = make_models(entry(server))
        for _ in range(3):
            assert await models.problems() == []
        assert len(server.probes) == 1
        monkeypatch.setattr(agent_models, "CHECK_EVERY_SECONDS", 0.0)
        assert await models.problems() == []
        assert len(server.probes) == 2
