"""The question that tests of the store write and read."""

from slipway_runtime.store.runs import Question

ASK = Question(
    run_id="a" * 32,
    agent="demo/support",
    revision="r1",
    caller="alice",
    text="How?",
    session_id="s1",
    new_session=True,
    session_ttl=60.0,
    max_turns=3,
    timeout=30.0,
)
