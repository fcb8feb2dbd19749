"""Where a person gives what a run waits for, in words for protocols that have no place for that."""

from slipway_runtime.events import InputRequired


def place_of(asked: InputRequired, *, agent: str, run: str) -> str:
    """The words of an answer that ends because somebody is asked something.

    Args:
        agent: `namespace/name`.
        run: the run's id.
    """
    path = f"/agents/{agent}/runs/{run}"
    what = "an approval" if asked.kind == "approval" else "an answer"
    prompt = f": {asked.prompt}" if asked.prompt else "."
    return (
        f"This waits for {what} from {', '.join(asked.answerers)}{prompt}\n"
        f"Give it with POST {path}/input/{asked.id}, then read the answer with GET {path}."
    )
