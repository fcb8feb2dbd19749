"""A model for the agents of `chaos_agents`: it answers differently each time, and keeps what it was asked.

Each question holds a mark, so that requests are told apart by question. A request that is made a second time is the
same to the letter: all that came before it was recorded.
"""

import hashlib
import json
import random
import re
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from slipway_runtime.agents.grounding import NO_ANSWER
from slipway_runtime.agents.langgraph_agent import CORRECT
from tests.support.model_server import Asked, Call, Reply

FACTS = (
    "Green tea is brewed at eighty degrees",
    "Black tea is brewed with boiling water",
    "White tea is brewed for three minutes",
    "Oolong is brewed several times",
)
"""Sentences of the document that the agents know."""
DOCUMENT = "# Tea\n\n" + "".join(f"{fact}.\n\n" for fact in FACTS)
PAUSE_SECONDS = 0.01
"""Between two words, so that there is a middle to be killed in."""
MARK = re.compile(r"point-[0-9a-f]{8}")


@dataclass
class ChaosModel:
    """The script of a `model_server`."""

    random: random.Random
    requests: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """By mark: how often each request was made."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def repeated(self, mark: str) -> int:
        """Requests of a question that were made again."""
        return sum(times - 1 for times in self.requests[mark].values())

    def made(self, mark: str) -> int:
        """Requests of a question so far."""
        return self.requests[mark].total()

    def __call__(self, asked: Asked) -> Reply:
        messages = json.dumps(asked.body["messages"])
        found = MARK.search(messages)
        assert found, messages
        with self._lock:
            self.requests[found[0]][hashlib.sha256(messages.encode()).hexdigest()] += 1
            return self._reply(found[0], asked.body)

    def _reply(self, mark: str, body: Any) -> Reply:
        tools = {each["function"]["name"]: each["function"]["parameters"] for each in body.get("tools", ())}
        output = next((schema for name, schema in tools.items() if name.startswith("final_result")), None)
        called = [
            call["function"]["name"] for each in body["messages"] for call in each.get("tool_calls") or () if call
        ]
        if "act" in tools and "act" not in called:
            return self._call("act")
        if "ask-lang" in tools and "ask-lang" not in called and self.random.random() < 0.5:
            return self._call("ask-lang", question=f"What of tea? {mark} {self.random.random()}")
        if "search_documents" in tools and "search_documents" not in called:
            return self._call("search_documents", query=f"How is tea brewed? {self.random.random()}")
        if output is None:
            corrects = CORRECT.partition("{")[0] in str(body["messages"][-1]["content"])
            return Reply(NO_ANSWER if corrects else self._text(), pause=PAUSE_SECONDS)
        return Reply(output=self._output(set(output["properties"])))

    def _call(self, name: str, **args: Any) -> Reply:
        return Reply(calls=(Call(name, args, id=f"call-{self.random.randbytes(8).hex()}"),))

    def _text(self) -> str:
        """Some of the facts in any order, with a number that need not be right, and what no passage says."""
        facts = self.random.sample(FACTS, self.random.randint(1, len(FACTS)))
        said = [f"{fact} [{self.random.randint(1, 3)}]." for fact in facts]
        if self.random.random() < 0.3:
            said.append(f"The moon is number {self.random.randint(0, 10**6)} of all cheeses.")
        return " ".join(said)

    def _output(self, properties: set[str]) -> dict[str, Any]:
        if "queries" in properties:
            return {"queries": [f"How is tea brewed? {self.random.random()}"]}
        if "faults" in properties:
            return {"faults": ["It says too little."] if self.random.random() < 0.3 else []}
        if "ranking" in properties:
            ranking = self.random.sample(["pyd", "lang"], 2)
            return {
                "task_category": "lookup",
                "task_complexity": "simple",
                "ranking": ranking,
                "reason": f"It is number {self.random.randint(0, 10**6)}.",
                "confidence": round(self.random.random(), 3),
            }
        assert "answer" in properties, properties
        return {"answer": self._text()}
