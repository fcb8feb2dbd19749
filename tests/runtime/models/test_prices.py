"""What requests cost: by the manifest, by the table, or unknown."""

from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from pydantic_ai.usage import RequestUsage

from slipway_crds.runtimeconfig import ModelBinding, ModelConfig, Price
from slipway_runtime.models.prices import as_text, cost
from tests.support.model_server import Reply, model_server
from tests.support.models import ask, entry, make_models

USAGE = RequestUsage(input_tokens=1_000_000, output_tokens=200_000, cache_read_tokens=600_000)


def config(provider: str = "openai-compatible", model: str = "test-model") -> ModelConfig:
    return ModelConfig(name="first", provider=provider, model=model)


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        (Price(input="2", output="10"), "4"),
        (Price(input="2", output="10", cached_input="0.5"), "3.1"),
        (Price(input="0", output="0"), "0"),
        (Price(input="2", output="10", cached_input="0"), "2.8"),
        (None, None),
    ],
)
def test_the_manifests_price(price: Price | None, expected: str | None) -> None:
    assert as_text(cost(USAGE, config(), price)) == expected


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-5-mini"),
        ("anthropic", "claude-sonnet-5"),
        ("google", "gemini-2.5-flash"),
        ("bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0"),
    ],
)
def test_the_table_knows_the_providers_models(provider: str, model: str) -> None:
    known = cost(RequestUsage(input_tokens=1000, output_tokens=1000), config(provider, model), None)
    assert known is not None
    assert known > 0
    assert cost(USAGE, config(provider, model), Price(input="0", output="0")) == Decimal(0), "the manifest wins"


def test_a_model_that_nobody_knows_has_no_price() -> None:
    assert cost(USAGE, config("openai", "no-such-model"), None) is None
    assert cost(USAGE, config("openai-compatible", "gpt-5-mini"), None) is None, (
        "whoever serves it asks their own price"
    )


def test_the_docs_name_the_table() -> None:
    docs = (Path(__file__).parents[3] / "docs/models.md").read_text()
    assert f"genai-prices {version('genai-prices')}" in docs


async def test_tokens_and_cost_are_metrics() -> None:
    def value(name: str, **labels: str) -> float:
        where = {"agent": "demo/thinker", "model": "openai-compatible:priced", **labels}
        return REGISTRY.get_sample_value(name, where) or 0.0

    with model_server([Reply(fault="rate_limited"), Reply("Fine.", input_tokens=1000, output_tokens=50)]) as server:
        binding = ModelBinding(price=Price(input="1", output="10"))
        models = make_models(
            entry(server, model="priced"), entry(server, name="second", model="priced"), bindings={"second": binding}
        )
        _, seen = await ask(models, role="fast_routing")
    assert [usage.cost for usage in seen.usages] == [None, "0.0015"]
    assert value("slipway_model_cost_usd_total") == pytest.approx(0.0015)
    assert value("slipway_model_tokens_total", kind="input") == 1000
    assert value("slipway_model_tokens_total", kind="output") == 50
    assert value("slipway_model_requests_total", role="fast_routing", outcome="answered") == 1
    assert value("slipway_model_requests_total", role="fast_routing", outcome="rate_limited") == 1
    assert value("slipway_model_failovers_total", outcome="rate_limited") == 1
    assert value("slipway_model_seconds_count") == 2
    assert value("slipway_model_requests_unpriced_total") == 1
