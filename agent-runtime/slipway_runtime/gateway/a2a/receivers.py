"""Receivers of push notifications: kept by the task's host."""

import re
import uuid
from urllib.parse import urlsplit

import orjson
from a2a.types.a2a_pb2 import TaskPushNotificationConfig
from a2a.utils.errors import InvalidParamsError, TaskNotFoundError
from google.protobuf.json_format import MessageToDict, ParseDict

from slipway_runtime.addresses import ForbiddenAddress
from slipway_runtime.gateway.a2a.looking_up import JSON, QUICK_SECONDS, TASK_ID
from slipway_runtime.gateway.a2a.pushing import check_receiver
from slipway_runtime.gateway.a2a.visit import Visit
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.inner_calls import fetch
from slipway_runtime.gateway.permissions import Action, require

ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
LONGEST = 2048
HEADER_TEXT = re.compile(r"[\x20-\x7e]*")


async def check(gateway: Gateway, config: TaskPushNotificationConfig) -> None:
    """Raise InvalidParamsError for what cannot be sent to."""
    parts = urlsplit(config.url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or len(config.url) > LONGEST:
        raise InvalidParamsError("url must be an http or https URL without a user, of at most 2048 characters.")
    if config.id and not ID.fullmatch(config.id):
        raise InvalidParamsError("id must be of at most 64 letters, digits, dots, dashes and underscores.")
    secrets = (config.token, config.authentication.scheme, config.authentication.credentials)
    if any(len(each) > LONGEST or not HEADER_TEXT.fullmatch(each) for each in secrets):
        raise InvalidParamsError("token and authentication must be of at most 2048 printable ASCII characters each.")
    try:
        await check_receiver(gateway.receiver_rule, config.url)
    except ForbiddenAddress:
        raise InvalidParamsError("url must lead to a public address, or one that the installation allows.") from None
    except (OSError, ValueError):
        raise InvalidParamsError("url has a host that is not known: correct it.") from None


async def put(gateway: Gateway, visit: Visit, config: TaskPushNotificationConfig) -> TaskPushNotificationConfig:
    """Add or replace a receiver of one of the caller's tasks. Raises A2AError, Problem."""
    require(gateway.policy, visit.caller, Action.ASK, visit.agent)
    await check(gateway, config)
    kept = TaskPushNotificationConfig()
    kept.CopyFrom(config)
    kept.id = config.id or uuid.uuid4().hex
    path = f"{_path(visit, config.task_id)}/{kept.id}"
    headers = {**JSON, "Content-Type": "application/json"}
    body = orjson.dumps(MessageToDict(kept))
    await fetch(gateway.upstreams, visit.call("PUT", path, headers=headers, body=body, seconds=QUICK_SECONDS))
    return kept


async def list_all(gateway: Gateway, visit: Visit, task_id: str) -> list[TaskPushNotificationConfig]:
    """The receivers of one of the caller's tasks. Raises A2AError, Problem."""
    require(gateway.policy, visit.caller, Action.READ, visit.agent)
    call = visit.call("GET", _path(visit, task_id), headers=JSON, seconds=QUICK_SECONDS)
    found = await fetch(gateway.upstreams, call)
    return [ParseDict(each, TaskPushNotificationConfig(), ignore_unknown_fields=True) for each in found["receivers"]]


async def remove(gateway: Gateway, visit: Visit, task_id: str, name: str) -> None:
    """Remove a receiver, if it is there. Raises A2AError, Problem."""
    require(gateway.policy, visit.caller, Action.ASK, visit.agent)
    path = _path(visit, task_id)
    if ID.fullmatch(name):
        call = visit.call("DELETE", f"{path}/{name}", headers=JSON, seconds=QUICK_SECONDS)
        await fetch(gateway.upstreams, call)


def _path(visit: Visit, task_id: str) -> str:
    if not TASK_ID.fullmatch(task_id):
        raise TaskNotFoundError
    return f"{visit.path}/runs/{task_id}/receivers"
