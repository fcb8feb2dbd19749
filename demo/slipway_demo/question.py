"""Asking the agent through the gateway, and showing what it answers."""

import json
import shlex
import urllib.error
import urllib.request
from typing import Any

from rich.panel import Panel
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from devcluster.progress import console
from slipway_demo.errors import DemoError

TIMEOUT_S = 60
SETTLE_S = 20


def ask(gateway: str, key: str, question: str, *, agent: str) -> dict[str, Any]:
    """POST a question to NAMESPACE/NAME; returns the answer. Raises DemoError with what the gateway says otherwise.

    A pod that is ready may be found through its Service only a moment later: by the gateway's callers, and by an agent
    that looks for its index. So the question is repeated for a while as long as nobody answers, or the answer is 503.
    """
    request = urllib.request.Request(
        f"{gateway}/agents/{agent}/chat",
        data=json.dumps({"question": question}).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {key}"},
    )
    connecting = Retrying(
        retry=retry_if_exception(_may_pass),
        wait=wait_fixed(0.5),
        stop=stop_after_delay(SETTLE_S),
        reraise=True,
    )
    try:
        return connecting(_send, request)
    except urllib.error.HTTPError as error:
        raise DemoError(f"the gateway answered {error.code}: {error.read().decode(errors='replace')}") from error
    except OSError as error:
        raise DemoError(f"the gateway at {gateway} cannot be reached: {error}") from error


def _may_pass(error: BaseException) -> bool:
    return error.code == 503 if isinstance(error, urllib.error.HTTPError) else isinstance(error, OSError)


def _send(request: urllib.request.Request) -> dict[str, Any]:
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        answer: dict[str, Any] = json.load(response)
        return answer


def show(question: str, answer: dict[str, Any]) -> None:
    """Print a question with its cited answer."""
    lines = [answer["answer"]]
    for number, source in enumerate(answer.get("sources", []), start=1):
        where = " › ".join(filter(None, (source.get("document"), source.get("heading"))))
        lines.append(f"[{number}] {where}")
    console.print(Panel("\n".join(lines), title=question, title_align="left"), markup=False)


def curl(gateway: str, key: str, question: str, *, agent: str) -> str:
    """How a person asks a question, to be copied into a shell."""
    body = shlex.quote(json.dumps({"question": question}))
    headers = f"-H 'Authorization: Bearer {key}' -H 'Content-Type: application/json'"
    return f"curl -s {gateway}/agents/{agent}/chat {headers} -d {body}"
