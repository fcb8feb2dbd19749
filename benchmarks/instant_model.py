"""A stand-in for a model that answers at once: text, or the output that a tool of the request asks for.

`python -m benchmarks.instant_model` serves it on a free port, whose base URL it prints.
"""

import threading

from tests.support.model_server import Asked, Reply, model_server

ANSWER = "An agent is paused by the field suspend, which keeps its sessions and stops its pods."
OUTPUTS = {"answer": ANSWER, "faults": []}
"""Of the nodes of `hybrid`, by the field that each asks for."""


def reply(asked: Asked) -> Reply:
    """What a request gets."""
    desired = [
        name
        for tool in asked.body.get("tools", ())
        for name in tool["function"]["parameters"]["properties"]
        if name in OUTPUTS
    ]
    return Reply(output={name: OUTPUTS[name] for name in desired}) if desired else Reply(ANSWER)


if __name__ == "__main__":
    with model_server(reply) as server:
        print(server.base_url, flush=True)
        threading.Event().wait()
