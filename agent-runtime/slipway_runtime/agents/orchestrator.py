"""The `orchestrator` architecture: it chooses one of its members for each question and passes on the answer.

The decision is a step, and so is each call. A member that fails or abstains leads to the next one, and the decision
that says so is emitted anew: the last one names whoever answered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from slipway_crds.runtimeconfig import AgentBindings, AgentConfig
from slipway_runtime.agents.calling import UNFOLLOWED_SECONDS, AgentCalls, CallFailed, MemberDescription
from slipway_runtime.agents.choosing import Chooser
from slipway_runtime.agents.decisions import OrchestrationDecision
from slipway_runtime.agents.forwarding import AgentCall, MemberAnswer, ask_with_less, patience_of
from slipway_runtime.agents.protocol import TURNS
from slipway_runtime.agents.remote_members import RemoteMembers, all_members
from slipway_runtime.agents.summaries import message_of
from slipway_runtime.events import Decision, Delta, Done
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.ask import Ask, Message, TextPart
from slipway_runtime.run import AgentRequest, Emit, Run

LEFT_OUT = frozenset(("history", "metadata", "settings"))
"""What a member may refuse and be asked again without."""


@dataclass(frozen=True)
class Tried:
    """A member that was asked, and what came of it."""

    name: str
    answer: MemberAnswer

    def __str__(self) -> str:
        if self.answer.state == "abstained":
            return f"{self.name} abstained"
        return f"{self.name} failed ({self.answer.reason}: {self.answer.message.rstrip('.')})"


class OrchestratorAgent:
    """See `Agent`."""

    honours = frozenset(
        ("data", "image", "file", "force_agent", "history", "metadata", "output_schema", "settings", TURNS)
    )

    def __init__(
        self,
        config: AgentConfig,
        *,
        calls: AgentCalls,
        chooser: Chooser,
        bindings: Callable[[], AgentBindings] = AgentBindings,
    ) -> None:
        self._config = config
        self._calls = calls
        self._chooser = chooser
        self._remote = RemoteMembers(config, bindings)

    async def run(self, run: Run) -> Done:
        """See `Agent`.

        Raises:
            Problem: `InvalidRequest` for a member that is not there, `NoMemberAnswered`.
        """
        await self._chooser.summarise(run)
        decided = await run.step(
            "decide", lambda emit: self._decide(run, emit), repeat=self._chooser.repeat, input=_decided_by(run.request)
        )
        decision = OrchestrationDecision.model_validate(decided["decision"])
        tried: list[Tried] = []
        for number, name in enumerate(decided["order"]):
            answer = await self._ask(run, decision, decided["order"], number, tried)
            if answer.state == "answered" and answer.done is not None:
                return answer.done
            tried.append(Tried(name, answer))
        abstained = tried[-1].answer.done
        if abstained is not None and all(each.answer.state == "abstained" for each in tried):
            return await self._abstain(run, abstained)
        raise Problem(Reason.NO_MEMBER_ANSWERED, f"No member answered: {'; '.join(map(str, tried))}.")

    async def _abstain(self, run: Run, done: Done) -> Done:
        """Nobody knows an answer: what the last one says of that is said here."""

        async def say(emit: Emit) -> None:
            emit(Delta(text=done.answer))

        await run.step("abstain", say)
        return done

    async def missing(self) -> list[str]:
        """See `Agent`. Members may come and go."""
        return []

    async def model_problems(self) -> list[str]:
        """See `UsesModels`."""
        return await self._chooser.model_problems()

    async def close(self) -> None:
        """See `UsesModels`."""
        await self._chooser.close()
        await self._remote.close()

    async def _decide(self, run: Run, emit: Emit) -> dict[str, Any]:
        """The step that chooses. Returns the decision, and names of members in the order in which they are asked."""
        try:
            members = await all_members(run, self._calls, self._remote)
        except CallFailed as error:
            raise Problem(Reason.NO_MEMBER_ANSWERED, f"The members cannot be listed: {error.message}") from error
        if not members:
            raise Problem(
                Reason.NO_MEMBER_ANSWERED,
                "The agent has no member that you may ask: see spec.members, and whether these Agents exist.",
            )
        decision, order = await self._chooser.choose(run.request, members, emit)
        emit(Decision(decision=decision.to_json(), members=self._full(members)))
        return {"decision": decision.to_json(), "order": [member.name for member in order]}

    async def _ask(
        self, run: Run, decision: OrchestrationDecision, order: Sequence[str], number: int, tried: Sequence[Tried]
    ) -> MemberAnswer:
        """Ask one member, in a step of its own. Its number is a part of the key: an order may differ by attempt."""
        name, key = order[number], f"ask/{number + 1}/{order[number]}"

        async def ask(emit: Emit) -> dict[str, Any]:
            if tried:
                emit(self._next(decision, order, number, tried))
            last = number + 1 == len(order)
            patience = None if last else patience_of(run)
            asked = ask_of(run.request)
            way = self._remote if name in self._remote else self._calls
            call: AgentCall = way.call(run, name, asked, key=key)
            answer = await ask_with_less(call, without=LEFT_OUT, step=key, emit=emit, patience=patience)
            return answer.to_json()

        return MemberAnswer.model_validate(await run.step(key, ask))

    def _next(
        self, decision: OrchestrationDecision, order: Sequence[str], number: int, tried: Sequence[Tried]
    ) -> Decision:
        """The decision for another member, with why it is not the one before."""
        namespace = self._config.namespace
        changed = decision.model_copy(
            update={
                "chosen_agent": f"{namespace}/{order[number]}",
                "reason": f"{'; '.join(map(str, tried))}; {order[number]} is the next best",
                "alternatives": tuple(
                    each for each in decision.alternatives if each.agent in _all(namespace, order[number + 1 :])
                ),
            }
        )
        return Decision(decision=changed.to_json(), members=tuple(_all(namespace, order)))

    def _full(self, members: Sequence[MemberDescription]) -> tuple[str, ...]:
        return tuple(_all(self._config.namespace, [member.name for member in members]))


def _all(namespace: str, names: Sequence[str]) -> list[str]:
    return [f"{namespace}/{name}" for name in names]


def _decided_by(request: AgentRequest) -> dict[str, Any]:
    """What a decision rests on, besides the members of the moment."""
    return {"question": request.question, "force_agent": request.force_agent, "schema": bool(request.output_schema)}


def ask_of(request: AgentRequest) -> Ask:
    """What a member is asked: the same question, with the turns before it as its history."""
    before = (
        [Message(role="system", parts=(TextPart(text=message_of(request.summary)),))] if request.summary.text else []
    )
    turns = [
        Message(role=role, parts=(TextPart(text=text),))
        for turn in request.turns
        for role, text in (("user", turn.question), ("assistant", turn.answer))
    ]
    return Ask(
        parts=request.parts or (TextPart(text=request.question),),
        history=(*before, *turns, *request.history) or None,
        output_schema=request.output_schema,
        settings=request.settings,
        metadata=request.metadata,
        unfollowed_seconds=UNFOLLOWED_SECONDS,
    )
