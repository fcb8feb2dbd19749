"""The question that tests of the store write and read."""

from slipway_runtime.protocols.ask import Ask, TextPart
from slipway_runtime.store.runs import Question


def question(text: str) -> Ask:
    """A question in words."""
    return Ask(parts=(TextPart(text=text),))


ASK = Question(
    run_id="a" * 32,
    agent="demo/support",
    revision="r1",
    caller="alice",
    ask=question("How?"),
    session_id="s1",
    new_session=True,
    session_ttl=60.0,
    max_turns=3,
    timeout=30.0,
)
