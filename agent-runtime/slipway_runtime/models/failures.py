"""Why a model gave no answer: one word for metrics, one sentence for people.

A provider's own error text is not repeated: it may quote the prompt.
"""

from collections.abc import Sequence

from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelNotFoundError,
    ModelOverloadedError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelRequestTimeout,
    ModelServerError,
    ModelTimeoutError,
    ModelUnavailableError,
)

from slipway_runtime.addresses import ForbiddenAddress
from slipway_runtime.problems import Problem, Reason

NO_CREDENTIALS = (
    "name one in apiKeyRef, or give the pod's ServiceAccount (pod.serviceAccountName) a role that may use the model"
)


class CircuitOpen(ModelUnavailableError):
    """The provider failed so often that it is left alone for a while."""


class CutShort(ModelConnectionError):
    """A stream ended without the provider's finish reason."""


class Endless(ModelAPIError):
    """A stream went on for longer than any answer."""


class ContentFiltered(ModelAPIError):
    """The provider's content filter ended the answer."""


class NoKey(ModelAuthenticationError):
    """The file of the API key is missing, or holds no key."""


class NoCredentials(NoKey):
    """The entry names no key, and the pod has no identity that the provider knows."""


class ImagesNotTaken(ModelRequestRejectedError):
    """The request has images, and the manifest does not say that the model takes them."""


WORDS: Sequence[tuple[type[ModelAPIError], str, str]] = (
    (CircuitOpen, "circuit_open", "is left alone for a while, since it failed several times"),
    (CutShort, "cut", "broke off in the middle of its answer"),
    (Endless, "endless", "did not end its answer"),
    (ContentFiltered, "refused", "refused to answer (content filter)"),
    (ImagesNotTaken, "images", "takes no images: ask without, or set images: true if it can see"),
    (NoCredentials, "no_credentials", f"has no key: {NO_CREDENTIALS}"),
    (NoKey, "no_key", "has no API key: look at the Secret that apiKeyRef names"),
    (ModelAuthenticationError, "refused_key", "refused the API key: check the Secret of apiKeyRef"),
    (ModelNotFoundError, "unknown_model", "is not known to its provider: check model and baseURL"),
    (ModelContextWindowExceededError, "context", "takes no conversation of this length: ask in a new session"),
    (ModelRequestRejectedError, "rejected", "rejected the request"),
    (ModelQuotaExceededError, "quota", "has no credit left: look at the provider's billing page"),
    (ModelRateLimitError, "rate_limited", "is over its rate limit"),
    (ModelOverloadedError, "overloaded", "is overloaded"),
    (ModelUnavailableError, "unavailable", "is unavailable"),
    (ModelServerError, "server_error", "had an error of its own"),
    (ModelTimeoutError, "timeout", "did not answer in time"),
    (ModelRequestTimeout, "timeout", "did not answer in time"),
    (ModelConnectionError, "connection", "cannot be reached"),
)
"""Most specific first."""


def outcome_of(error: BaseException) -> str:
    """The word for an error: a label of metrics."""
    return next((word for kind, word, _ in WORDS if isinstance(error, kind)), "failed")


def sentence_of(error: BaseException) -> str:
    """What is wrong, to follow a model's name."""
    forbidden = cause_of(error, ForbiddenAddress)
    if forbidden is not None:
        return f"is not asked: {forbidden}"
    return next((words for kind, _, words in WORDS if isinstance(error, kind)), "gave no answer that can be read")


def cause_of(error: BaseException | None, kind: type[BaseException]) -> BaseException | None:
    """The error of a kind that led to this one; None if there is none."""
    while error is not None:
        if isinstance(error, kind):
            return error
        error = error.__cause__ or error.__context__
    return None


def retry_after(failures: Sequence[tuple[str, BaseException]]) -> int | None:
    """Seconds after which the first of the models may answer again, where a provider has said so."""
    named = [seconds for _, each in failures if (seconds := getattr(each, "retry_after", None)) is not None]
    return max(1, round(min(named))) if named else None


def no_model_answered(failures: Sequence[tuple[str, BaseException]]) -> Problem:
    """What the caller gets when no model of an agent answered.

    Args:
        failures: each model that was asked, as `provider:model`, with its error, in order.
    """
    told = "; ".join(f"{model} {sentence_of(error)}" for model, error in failures)
    if failures and all(isinstance(each, ImagesNotTaken) for _, each in failures):
        return Problem(Reason.INVALID_REQUEST, f"no model of the agent takes images: {told}")
    return Problem(
        Reason.MODELS_UNAVAILABLE, f"no model answered: {told}. Try again shortly.", retry_after=retry_after(failures)
    )
