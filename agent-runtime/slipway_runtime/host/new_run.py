"""A question on its way to a run."""

from dataclasses import dataclass

from slipway_runtime.protocols.ask import Ask


@dataclass(frozen=True)
class NewRun:
    """A question as it came in. The same `run_id` may be sent again."""

    run_id: str
    caller: str
    ask: Ask
    """What is asked. Without a session one is made."""
    keeps_session: bool = True
    """False for a run that belongs to no session."""
    wait: float = 0.0
    """Seconds to wait for the session to be free."""
    retiring: frozenset[str] = frozenset()
    """Other revisions of the agent that still answer, and keep their sessions."""
