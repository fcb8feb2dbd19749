"""Models in fallback order, as one model of pydantic-ai.

A model that fails, refuses or breaks off is followed by the next one within the same request. What it had streamed by
then is void: the watcher is told (`watching`), and the events of the next model begin anew.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.exceptions import ModelAPIError
from pydantic_ai.messages import ModelMessage, ModelRequestAttempt, ModelResponse, ModelResponseStreamEvent
from pydantic_ai.models import ModelRequestParameters, StreamedResponse
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from slipway_runtime.models import metrics
from slipway_runtime.models.attempts import ENTRY, Link, ModelAttempt
from slipway_runtime.models.bounds import bounded, judge, readable
from slipway_runtime.models.failures import no_model_answered, outcome_of, sentence_of
from slipway_runtime.models.history import fitted
from slipway_runtime.models.watching import watcher

Failures = list[tuple[str, BaseException]]


class ModelChain(FallbackModel):
    """See the module. Raises Problem (ModelsUnavailable, InvalidRequest) if no model answers."""

    def __init__(self, links: Sequence[Link], *, agent: str, role: str = "") -> None:
        super().__init__(*(link.model for link in links))
        self.links = tuple(links)
        self.agent = agent
        self.role = role

    def attempt(self, link: Link, messages: Sequence[ModelMessage]) -> ModelAttempt:
        """A request to one of the models. Raises ModelAPIError if it need not be asked."""
        link.check(messages)
        return ModelAttempt(self.agent, self.role, link, messages)

    def prepared(
        self, link: Link, messages: list[ModelMessage], parameters: ModelRequestParameters
    ) -> list[ModelMessage]:
        """The messages as one of the models takes them."""
        context = link.config.context_tokens or link.model.context_window
        cut = fitted(messages, parameters, context=context, answer=link.config.settings.max_tokens)
        return link.model.prepare_messages(cut, parameters)

    def fails(self, link: Link, error: ModelAPIError, failures: Failures) -> None:
        """Go on from a model: note why, and count it if there is another one."""
        failures.append((link.label, error))
        if link is not self.links[-1]:
            metrics.FAILOVERS.labels(self.agent, link.label, outcome_of(error)).inc()

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """See FallbackModel."""
        failures: Failures = []
        attempts: list[ModelRequestAttempt] = []
        for link in self.links:
            attempt: ModelAttempt | None = None
            try:
                with (attempt := self.attempt(link, messages)):
                    async with readable(link), asyncio.timeout(link.config.timeout_seconds):
                        sent = self.prepared(link, messages, model_request_parameters)
                        settings = limited(link, model_settings)
                        attempt.response = await link.model.request(sent, settings, model_request_parameters)
                        judge(link, attempt.response, last=link is self.links[-1])
            except ModelAPIError as error:
                self.fails(link, error, failures)
                attempts += [attempt.record()] if attempt else []
                continue
            return marked(attempt.response, link, attempts)
        raise no_model_answered(failures)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """See FallbackModel. Models are asked when the stream is read."""
        stream = ChainStream(
            model_request_parameters=model_request_parameters,
            chain=self,
            messages=messages,
            settings=model_settings,
            run_context=run_context,
        )
        try:
            yield stream
        finally:
            await stream.close_stream()


def limited(link: Link, settings: ModelSettings | None) -> ModelSettings | None:
    """A request's settings, which may ask for fewer tokens than the entry's `maxTokens`, and not for more."""
    most = link.config.settings.max_tokens
    if settings is None or most is None or "max_tokens" not in settings:
        return settings
    asked: object = settings["max_tokens"]
    return settings if isinstance(asked, int) and asked <= most else {**settings, "max_tokens": most}


def marked(response: ModelResponse, link: Link, attempts: list[ModelRequestAttempt]) -> ModelResponse:
    """A response that says which entry of `spec.models` it is from, and which failed before."""
    metadata = {**(response.metadata or {}), ENTRY: link.config.name}
    return replace(response, metadata=metadata, failed_attempts=attempts or None)


@dataclass
class ChainStream(StreamedResponse):
    """The events of the first model that answers, after those of models that broke off."""

    _: KW_ONLY
    chain: ModelChain
    messages: list[ModelMessage]
    settings: ModelSettings | None
    run_context: RunContext[Any] | None
    _link: Link | None = field(default=None, init=False)
    _current: StreamedResponse | None = field(default=None, init=False)
    _attempts: list[ModelRequestAttempt] = field(default_factory=list, init=False)
    _begun: datetime = field(default_factory=lambda: datetime.now(UTC), init=False)

    def __aiter__(self) -> AsyncIterator[ModelResponseStreamEvent]:
        if self._event_iterator is None:
            self._event_iterator = self._get_event_iterator()
        return self._event_iterator

    async def _get_event_iterator(self) -> AsyncIterator[ModelResponseStreamEvent]:
        failures: Failures = []
        for link in self.chain.links:
            self._link, self._current = link, None
            attempt: ModelAttempt | None = None
            try:
                with (attempt := self.chain.attempt(link, self.messages)):
                    async for event in self._from(link, attempt):
                        yield event
            except ModelAPIError as error:
                self.chain.fails(link, error, failures)
                self._attempts += [attempt.record()] if attempt else []
                if self._has_parts() and link is not self.chain.links[-1]:
                    watcher().discarded(f"{link.label} {sentence_of(error)}")
                continue
            self._finished = True
            return
        raise no_model_answered(failures)

    async def _from(self, link: Link, attempt: ModelAttempt) -> AsyncIterator[ModelResponseStreamEvent]:
        """The events of one model. Raises ModelAPIError if it fails, or if its answer is not whole."""
        opened = asyncio.get_running_loop().time()
        parameters = self.model_request_parameters
        async with readable(link):
            sent = self.chain.prepared(link, self.messages, parameters)
            async with _opened(link, sent, limited(link, self.settings), parameters, self.run_context) as stream:
                self._current = attempt.stream = stream
                async for event in bounded(stream, link, opened=opened):
                    self.final_result_event = stream.final_result_event
                    yield event
                judge(link, stream.get(), last=link is self.chain.links[-1])

    def _has_parts(self) -> bool:
        """Whether the model that was asked last has said something."""
        return self._current is not None and bool(self._current.get().parts)

    def get(self) -> ModelResponse:
        """See StreamedResponse: what the model that was asked last has said."""
        if self._current is None or self._link is None:
            return ModelResponse(parts=[], model_name=self.model_name, timestamp=self.timestamp, state="incomplete")
        return marked(self._current.get(), self._link, self._attempts)

    async def close_stream(self) -> None:
        """Close the connection to the model."""
        if self._event_iterator is not None:
            await self._event_iterator.aclose()  # type: ignore[attr-defined]  # it is our generator

    @property
    def usage(self) -> RequestUsage:
        return self._current.usage if self._current else RequestUsage()

    @property
    def model_name(self) -> str:
        return self._current.model_name if self._current else self.chain.model_name

    @property
    def provider_name(self) -> str | None:
        return self._current.provider_name if self._current else None

    @property
    def provider_url(self) -> str | None:
        return self._current.provider_url if self._current else None

    @property
    def timestamp(self) -> datetime:
        return self._current.timestamp if self._current else self._begun


@asynccontextmanager
async def _opened(
    link: Link,
    messages: list[ModelMessage],
    settings: ModelSettings | None,
    parameters: ModelRequestParameters,
    run_context: RunContext[Any] | None,
) -> AsyncIterator[StreamedResponse]:
    """A stream of a model, opened within its time-out."""
    async with AsyncExitStack() as stack:
        opening = link.model.request_stream(messages, settings, parameters, run_context)
        async with asyncio.timeout(link.config.timeout_seconds):
            stream = await stack.enter_async_context(opening)
        yield stream
