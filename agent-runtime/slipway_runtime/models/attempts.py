"""One request to one model: how long it may take, whether its answer is whole, and what it is counted as."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from opentelemetry.trace import Span
from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelOverloadedError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
)
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequestAttempt,
    ModelResponse,
    TextPart,
)
from pydantic_ai.models import Model, StreamedResponse
from pydantic_ai.usage import RequestUsage

from slipway_crds.runtimeconfig import ModelConfig, Price
from slipway_runtime.events import ModelUsage
from slipway_runtime.models import metrics
from slipway_runtime.models.breaker import Breakers
from slipway_runtime.models.connection import KeyProblem
from slipway_runtime.models.content import as_messages
from slipway_runtime.models.failures import CircuitOpen, ContentFiltered, ImagesNotTaken, NoKey, outcome_of
from slipway_runtime.models.history import has_images, message_tokens, text_tokens
from slipway_runtime.models.prices import as_text, cost
from slipway_runtime.models.watching import watcher
from slipway_runtime.telemetry import genai

log = logging.getLogger(__name__)

MOST_CHARACTERS = 1_000_000
"""Of one answer whose settings name no `maxTokens`."""
CHARACTERS_PER_TOKEN = 16
"""Of an answer with `maxTokens`: several times what a token has, so that only a broken server exceeds it."""
OF_THE_MODEL = (ModelRateLimitError, ModelQuotaExceededError, ModelOverloadedError)
"""Failures that say nothing about other models of the provider."""
ENTRY = "slipway_model"
"""In the metadata of a response: the name of the entry in `spec.models` that answered."""


@dataclass
class Last:
    """How the last request to a model ended."""

    outcome: str = ""


@dataclass(frozen=True)
class Link:
    """One model of a chain, with what is around it."""

    config: ModelConfig
    model: Model
    breaker: Breakers
    key: Callable[[], str | None]
    price: Callable[[], Price | None]
    content: Callable[[], bool] = bool
    """Whether texts may be in spans now."""
    last: Last = field(default_factory=Last)

    @property
    def label(self) -> str:
        """What the model is called in events and metrics."""
        return self.config.label

    def check(self, messages: Sequence[ModelMessage]) -> None:
        """Raise a ModelAPIError if the model need not be asked: no key, an image it cannot see, a failing provider."""
        name = self.config.model
        if not self.config.images and has_images(messages):
            raise ImagesNotTaken(name, "images: false")
        try:
            self.key()
        except KeyProblem as error:
            raise NoKey(name, str(error)) from None
        if not self.breaker.allow():
            raise CircuitOpen(name, "the provider failed repeatedly")

    def most_characters(self) -> int:
        """The longest answer that is read."""
        tokens = self.config.settings.max_tokens
        return MOST_CHARACTERS if tokens is None else tokens * CHARACTERS_PER_TOKEN


@dataclass
class ModelAttempt:
    """A request to one model, as a context: errors leave it as they came, and are counted."""

    agent: str
    role: str
    link: Link
    messages: Sequence[ModelMessage]
    response: ModelResponse | None = None
    stream: StreamedResponse | None = None
    outcome: str = "answered"
    usage: RequestUsage = field(default_factory=RequestUsage)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    _clock: float = field(default_factory=time.perf_counter)
    seconds: float = 0.0
    _span: Span = field(init=False)

    def __enter__(self) -> Self:
        config = self.link.config
        self._span = genai.start_model_request(
            agent=self.agent, provider=config.provider, model=config.model, role=self.role
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.seconds = time.perf_counter() - self._clock
        self._judge(error)
        self.usage = self._used()
        labels = self.agent, self.link.label
        metrics.REQUESTS.labels(self.agent, self.link.label, self.role, self.outcome).inc()
        metrics.REQUEST_SECONDS.labels(*labels).observe(self.seconds)
        for name, tokens in (
            ("input", self.usage.input_tokens),
            ("cached", self.usage.cache_read_tokens),
            ("output", self.usage.output_tokens),
        ):
            metrics.TOKENS.labels(*labels, name).inc(tokens)
        used = usage_event(self.link, self.usage)
        if used.cost is None:
            metrics.UNPRICED.labels(*labels).inc()
        else:
            metrics.COST.labels(*labels).inc(float(used.cost))
        watcher().used(used)
        self._end_span()

    def _end_span(self) -> None:
        said = self._response()
        enabled = self.link.content()
        genai.content(self._span, "gen_ai.input.messages", lambda: as_messages(self.messages), enabled=enabled)
        if said is not None:
            genai.content(self._span, "gen_ai.output.messages", lambda: as_messages([said]), enabled=enabled)
        genai.end_model_request(
            self._span,
            outcome=self.outcome,
            input_tokens=self.usage.input_tokens,
            cached_tokens=self.usage.cache_read_tokens,
            output_tokens=self.usage.output_tokens,
            response_model=said.model_name if said else None,
            finish_reason=said.finish_reason if said else None,
        )

    def _response(self) -> ModelResponse | None:
        """What the model has said so far."""
        return self.response or (self.stream.get() if self.stream else None)

    def _judge(self, error: BaseException | None) -> None:
        """What the request is counted as, and what the breaker learns from it."""
        breaker = self.link.breaker
        if error is None or isinstance(error, ContentFiltered | ModelRequestRejectedError):
            breaker.succeeded()
        elif isinstance(error, ModelAPIError):
            breaker.failed(model_only=isinstance(error, OF_THE_MODEL))
        else:
            breaker.abandoned()
        if isinstance(error, ModelAPIError):
            self.outcome = outcome_of(error)
            log.warning(
                "model %s failed: %s", self.link.label, self.outcome, extra={"agent": self.agent, "role": self.role}
            )
        elif error is not None:
            self.outcome = "cancelled"
        self.link.last.outcome = self.outcome

    def _used(self) -> RequestUsage:
        """As the provider reported it; estimated for an answer that ended before its usage came."""
        response = self._response()
        if response is None:
            return RequestUsage()
        usage = response.usage
        if usage.input_tokens or usage.output_tokens or not response.parts:
            return usage
        written = "".join(part.content for part in response.parts if isinstance(part, TextPart))
        return RequestUsage(
            input_tokens=sum(map(message_tokens, self.messages)), output_tokens=text_tokens(written) or 1
        )

    def record(self) -> ModelRequestAttempt:
        """For `failed_attempts` of the response that another model gave. Without the provider's text."""
        return ModelRequestAttempt(
            model_name=self.link.config.model,
            provider_name=self.link.config.provider,
            outcome="rejected" if self.outcome == "refused" else "error",
            error=self.outcome,
            timestamp=self.started,
            duration=timedelta(seconds=self.seconds),
            usage=self.usage,
        )


def usage_event(link: Link, usage: RequestUsage) -> ModelUsage:
    """What one request used, with its cost."""
    return ModelUsage(
        model=link.label,
        requests=1,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost=as_text(cost(usage, link.config, link.price())),
    )
