"""What a request cost, in US dollars."""

from decimal import Decimal

from pydantic_ai.messages import ModelResponse
from pydantic_ai.usage import RequestUsage

from slipway_crds.runtimeconfig import ModelConfig, Price

MILLION = Decimal(1_000_000)


def cost(usage: RequestUsage, config: ModelConfig, price: Price | None) -> Decimal | None:
    """The cost of one request.

    Args:
        usage: `input_tokens` include those that were read from a cache.
        price: of the manifest; it wins over the table.

    Returns:
        None where nobody knows a price: an OpenAI-compatible server without `price`, or a model not in the table.
    """
    if price is not None:
        return _priced(usage, price)
    if config.provider == "openai-compatible":
        return None
    return _table(usage, config)


def _priced(usage: RequestUsage, price: Price) -> Decimal:
    cached = min(usage.cache_read_tokens, usage.input_tokens)
    of_cached = price.input if price.cached_input is None else price.cached_input
    total = (
        (usage.input_tokens - cached) * Decimal(price.input)
        + cached * Decimal(of_cached)
        + usage.output_tokens * Decimal(price.output)
    )
    return total / MILLION


def _table(usage: RequestUsage, config: ModelConfig) -> Decimal | None:
    """By the table that comes with pydantic-ai (the package genai-prices). It is never downloaded."""
    provider = {"bedrock": "aws"}.get(config.provider, config.provider)
    response = ModelResponse(parts=[], usage=usage, model_name=config.model, provider_name=provider)
    try:
        return response.cost().total_price
    except LookupError:
        return None


def as_text(amount: Decimal | None) -> str | None:
    """A cost as a decimal without an exponent or trailing zeros; zero is `0`."""
    if amount is None:
        return None
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
