"""Asking a host for JSON: what a tool does that starts no run."""

from collections.abc import Mapping
from typing import Any

import orjson

from slipway_runtime.gateway import answers
from slipway_runtime.gateway.upstream import Broken, Refused, TooManyBroke, UpstreamRequest, Upstreams
from slipway_runtime.problems import Problem, Reason

ANSWER_BYTES = 8 * 1024 * 1024


async def read_json(upstreams: Upstreams, call: UpstreamRequest) -> Mapping[str, Any]:
    """The object that a host answers with; empty for an answer without a body.

    Raises:
        Problem: what the host says, or that no pod answers.
    """
    try:
        async with upstreams.open(call) as (response, _):
            body = await answers.whole(response, limit=ANSWER_BYTES)
            if response.status == 204:
                return {}
            if response.status != 200:
                raise answers.problem(body, answers.passed_on(response, stream=False))
            read = orjson.loads(body)
    except Refused as refused:
        raise answers.problem(refused.refusal.body, refused.refusal.headers) from None
    except TooManyBroke as error:
        raise error.problem(call.agent) from None
    except (orjson.JSONDecodeError, *Broken):
        raise Problem(Reason.NO_POD_READY, f"a pod of agent {call.agent} broke off: ask again") from None
    if not isinstance(read, dict):
        raise Problem(Reason.INVALID_ANSWER, f"a pod of agent {call.agent} sent no object: look at its logs")
    return read
