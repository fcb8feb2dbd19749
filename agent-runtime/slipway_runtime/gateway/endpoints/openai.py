"""The paths of OpenAI's API."""

from slipway_runtime.gateway import models
from slipway_runtime.gateway.completions import Completions
from slipway_runtime.gateway.endpoints.endpoint import Endpoint, answered_by
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.openapi import openai_paths

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def endpoints(gateway: Gateway) -> list[Endpoint]:
    """The table. Its last row takes what no other row does."""
    return [
        Endpoint("POST", "/v1/chat/completions", answered_by(Completions(gateway)), openai_paths.COMPLETE),
        Endpoint("GET", "/v1/models", models.list_models(gateway), openai_paths.LIST_MODELS),
        Endpoint("GET", "/v1/models/{model:path}", models.read_model(gateway), openai_paths.READ_MODEL),
        Endpoint(METHODS, "/v1/{rest:path}", models.nothing_else),
    ]
