"""Asking the agent through the gateway, and showing what it answers."""

import json
import urllib.error
import urllib.request
from typing import Any

from rich.panel import Panel

from devcluster.progress import console
from slipway_demo.errors import DemoError

TIMEOUT_S = 60


def ask(gateway: str, key: str, question: str, *, agent: str) -> dict[str, Any]:
    """POST a question to NAMESPACE/NAME; returns the answer. Raises DemoError with what the gateway says otherwise."""
    request = urllib.request.Request(
        f"{gateway}/agents/{agent}/chat",
        data=json.dumps({"question": question}).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {key}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            answer: dict[str, Any] = json.load(response)
            return answer
    except urllib.error.HTTPError as error:
        raise DemoError(f"the gateway answered {error.code}: {error.read().decode(errors='replace')}") from error
    except OSError as error:
        raise DemoError(f"the gateway at {gateway} cannot be reached: {error}") from error


def show(question: str, answer: dict[str, Any]) -> None:
    """Print a question with its cited answer."""
    lines = [answer["answer"]]
    for number, source in enumerate(answer.get("sources", []), start=1):
        lines.append(f"[{number}] {source.get('document')} › {source.get('heading')}")
    console.print(Panel("\n".join(lines), title=question, title_align="left"), markup=False)


def curl(gateway: str, key: str, *, agent: str) -> str:
    """How a person asks the next question, to be copied into a shell."""
    body = json.dumps({"question": "How do I stop an agent from being reconciled?"})
    headers = f"-H 'Authorization: Bearer {key}' -H 'Content-Type: application/json'"
    return f"curl -s {gateway}/agents/{agent}/chat {headers} -d '{body}'"
