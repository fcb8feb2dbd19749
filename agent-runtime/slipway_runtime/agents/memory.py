"""Long conversations: before an agent with models answers, turns that became too many are put into a summary."""

import asyncio
import logging

from pydantic_ai.messages import ModelRequest, UserPromptPart

from slipway_runtime.agents import summaries
from slipway_runtime.agents.conversation import system_message
from slipway_runtime.agents.speaking import ask_model
from slipway_runtime.models import Models
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.run import Emit, Run, StepFailed
from slipway_runtime.store.sessions import Summary

STEP = "summary"
MOST_SECONDS = 20.0
"""How long a summary may take."""
MOST_SHARE = 0.25
"""How much of the time that is left it may take: the answer needs the rest."""
log = logging.getLogger(__name__)


async def summarise(run: Run, models: Models) -> None:
    """Make a summary of the older turns of the run's session if there are too many; the request has it then.

    Without an answer of a model everything stays as it is: older turns are left out where the context is too small,
    and the next question tries again.
    """
    summary = run.request.summary
    most_tokens = summaries.budget(models.smallest_context())
    older = summaries.older(run.request.turns, most_tokens=most_tokens)
    if not older:
        return
    request = summaries.request_for(summary, older, most_tokens=most_tokens)
    messages = [*system_message(summaries.INSTRUCTIONS), ModelRequest(parts=[UserPromptPart(request)])]

    async def make(emit: Emit) -> str:
        try:
            async with asyncio.timeout(min(MOST_SECONDS, MOST_SHARE * run.time_left())):
                text = await ask_model(models.for_role("fast_routing"), messages, emit, step=STEP)
        except TimeoutError:
            raise Problem(Reason.MODELS_UNAVAILABLE, "no summary came in time") from None
        return text.strip()[: summaries.SUMMARY_CHARACTERS]

    try:
        text = await run.step(STEP, make, repeat="paid", input=request)
    except (Problem, StepFailed) as error:
        log.warning("older turns are not summarised: %s", error, extra={"run": run.id, "agent": run.agent})
        return
    if text:
        await run.remember(Summary(text, older[-1].number))
