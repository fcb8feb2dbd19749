"""A model that knows a zoo, whatever it is asked for, and the documents that it quotes.

As a process of its own, for pods on a cluster: `python -m tests.support.zoo --host 0.0.0.0 --port 8000`. It is a
stand-in for a paid model, and writes a line of JSON for each request that a provider would be paid for.
"""

import argparse
import json
import re
import sys
import threading
from dataclasses import replace
from typing import Any, get_args

from tests.support.model_server import Asked, Call, Reply, model_server
from tests.support.model_wire import Fault

DOCUMENT = "# Zoo\n\nThe elephant is called Rosa. She eats hay in the morning.\n"
QUESTION = "What is the elephant called?"
QUOTE = "The elephant is called Rosa."
SAID = "The elephant is called Rosa [1]."
OUTPUT = {"name": "Rosa [1]"}
MEMBER = "keeper"
"""Whom an orchestrator's model chooses, if there is such a member."""
PLAN = "visit-the-zoo"
"""Name of the workflow that it plans."""
CHOICE = {
    "task_category": "lookup",
    "task_complexity": "simple",
    "reason": "The keeper knows the animals.",
    "confidence": 0.9,
}


def reply(asked: Asked) -> Reply:
    """Answers each kind of request that the architectures make."""
    tools = {each["function"]["name"]: each["function"]["parameters"] for each in asked.body.get("tools", [])}
    called = any(message["role"] == "tool" for message in asked.body["messages"])
    if "search_documents" in tools and not called:
        return Reply(calls=(Call("search_documents", {"query": QUESTION}),))
    properties = tools.get("final_result", {}).get("properties", {})
    outputs: dict[str, Any] = {"queries": [QUESTION], "faults": [], "answer": SAID, **OUTPUT, **CHOICE}
    outputs["ranking"] = [MEMBER]
    if "steps" in properties:
        step = {"name": "ask_keeper", "agent": MEMBER, "question": QUESTION}
        outputs |= {"name": PLAN, "description": "", "steps": [step]}
    return Reply(output={name: outputs[name] for name in properties}) if properties else Reply(SAID)


PASSAGE = re.compile(r'<passage number="(\d+)"[^>]*>\n(.*?)\n</passage>', re.DOTALL)
SENTENCE = re.compile(r"[A-Z][\w ,]*?(?=\.(?:\s|$))")


def quote(asked: Asked) -> Reply:
    """The first plain sentence of the passages in a prompt, with its passage's number."""
    prompt = "".join(re.findall(r"<passage .*</passage>", _text(asked), re.DOTALL))
    for number, text in PASSAGE.findall(prompt):
        for paragraph in text.split("\n\n"):
            if found := SENTENCE.match(" ".join(paragraph.split())):
                return Reply(f"{found[0]} [{number}].")
    return Reply("NO_ANSWER")


def _text(asked: Asked) -> str:
    """Of the last message, whose content is a text or parts."""
    content = asked.body["messages"][-1]["content"]
    return content if isinstance(content, str) else "\n".join(part["text"] for part in content if "text" in part)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", help="the only key that it takes")
    parser.add_argument("--model", action="append", dest="models", help="a model that there is; all if none is given")
    parser.add_argument("--fault", choices=get_args(Fault))
    parser.add_argument("--text", help="what it says in place of its sentence about the elephant")
    parser.add_argument("--quote", action="store_true", help="quote the documents instead")
    parser.add_argument("--pause", type=float, default=0, help="seconds between the words of an answer")
    parser.add_argument("--call", help="name of a tool that it calls before it answers")
    parser.add_argument("--arguments", type=json.loads, default={}, help="of the call, as JSON")
    options = parser.parse_args()

    def paid(asked: Asked) -> Reply:
        key = asked.headers.get("authorization", "").removeprefix("Bearer ")
        sys.stdout.write(json.dumps({"model": asked.body["model"], "key": key}) + "\n")
        sys.stdout.flush()
        if options.call and asked.body["messages"][-1]["role"] != "tool":
            return Reply(calls=(Call(options.call, options.arguments),))
        answer = quote(asked) if options.quote else reply(asked)
        said = options.text if answer.text and options.text else answer.text
        return replace(answer, text=said, fault=options.fault, pause=options.pause)

    with model_server(paid, host=options.host, port=options.port, key=options.key, models=options.models):
        threading.Event().wait()


if __name__ == "__main__":
    main()
