"""The decision of an agent that answers by itself: which role a question is given, and the model that is asked first.

If another model answered in the end, the answer's `model` says so.
"""

from slipway_runtime.agents.decisions import OrchestrationDecision, analyse
from slipway_runtime.events import Decision
from slipway_runtime.models import Models
from slipway_runtime.models.roles import RoleChoice
from slipway_runtime.run import Emit, Run


async def tell_role(run: Run, models: Models, choice: RoleChoice) -> None:
    """A step that says what was chosen."""
    task = analyse(run.request.question, role=choice.role)
    decision = OrchestrationDecision(
        task_category=task.category,
        task_complexity=task.complexity,
        chosen_agent=run.agent,
        reason=f"{choice.role}: {choice.reason}",
        confidence=1.0,
        alternatives=(),
        model_role=choice.role,
        model=models.for_role(choice.role).links[0].label,
    )

    async def tell(emit: Emit) -> None:
        emit(Decision(decision=decision.to_json(), members=(run.agent,)))

    await run.step("decide", tell)
