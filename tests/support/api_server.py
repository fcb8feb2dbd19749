"""A real API server as the tests of the CRDs need it: raw texts in, status and message out."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from kubernetes.aio import config
from kubernetes.aio.client import ApiClient

from slipway_crds.meta import API_VERSION
from slipway_crds.registry import KINDS


@dataclass(frozen=True)
class Answer:
    """What the API server said: the object, or a Status with a message."""

    status: int
    body: dict[str, Any]

    @property
    def accepted(self) -> bool:
        return self.status < 300

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))


@dataclass(frozen=True)
class ApiServer:
    """Requests with the credentials of a kubeconfig."""

    client: ApiClient

    async def request(
        self,
        method: str,
        path: str,
        body: str | dict[str, Any] | None = None,
        *,
        content: str = "application/json",
        accept: str = "application/json",
        query: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """One request; an error status is an answer, not an exception. The client writes a dict as JSON itself."""
        request = await self.client.param_serialize(
            method=method,
            resource_path=path,
            query_params=list(query.items()),
            header_params={"Content-Type": content, "Accept": accept},
            body=body,
            auth_settings=["BearerToken"],
        )
        response = await self.client.call_api(*request)
        return Answer(response.status, json.loads(await response.read()))

    async def try_to_create(self, kind: str, text: str) -> Answer:
        """The verdict on a manifest of one of our kinds or of a ConfigMap, in YAML or JSON, unknown fields refused,
        nothing stored."""
        path = "/api/v1/namespaces/default/configmaps"
        if kind in KINDS:
            path = f"/apis/{API_VERSION}/namespaces/default/{KINDS[kind].PLURAL}"
        query = {"dryRun": "All", "fieldValidation": "Strict"}
        return await self.request("POST", path, text, content="application/yaml", query=query)

    async def apply(self, path: str, manifest: dict[str, Any]) -> Answer:
        """Server-side apply, taking over what other managers own."""
        query = {"fieldManager": "crd-tests", "force": "true"}
        return await self.request("PATCH", path, manifest, content="application/apply-patch+yaml", query=query)


@asynccontextmanager
async def api_server(kubeconfig: str) -> AsyncIterator[ApiServer]:
    """The API server of a kubeconfig's current context."""
    client = await config.new_client_from_config(config_file=kubeconfig)
    try:
        yield ApiServer(client)
    finally:
        await client.close()
