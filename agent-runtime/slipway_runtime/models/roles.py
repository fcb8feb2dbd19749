"""Which role a question is given, by rules. Learned routing may replace them behind the same function."""

import re
from dataclasses import dataclass

from slipway_crds.runtimeconfig import AgentConfig, Role

FAST_WORDS = 20
"""A question of at most so many words may be a simple one."""
HARD = re.compile(
    r"\b(why|explain|compare|analy[sz]e|difference|versus|vs|evaluate|design|plan|prove|derive|summari[sz]e|"
    r"write|draft|rewrite|translate|refactor|debug|step[ -]by[ -]step|pros and cons|trade-?offs?|and then)\b",
    re.IGNORECASE,
)
"""Words that ask for more than a fact."""


@dataclass(frozen=True)
class RoleChoice:
    """A role and why it was chosen. Both are in the `decision` event."""

    role: Role
    reason: str


def choose_role(
    question: str, config: AgentConfig, *, output_schema: bool = False, attachments: bool = False, tools: bool = False
) -> RoleChoice:
    """The role of one question.

    Args:
        output_schema: whether the caller asks for output of a schema; an agent's own schema counts too.
        attachments: whether images or files came along.
        tools: whether the client brought tools of its own.
    """
    if output_schema or config.output_schema is not None:
        return RoleChoice("structured_output", "an output schema is asked for")
    if attachments:
        return RoleChoice("complex_reasoning", "images or files came along")
    if tools:
        return RoleChoice("complex_reasoning", "the client brought tools")
    words = len(question.split())
    if words > FAST_WORDS:
        return RoleChoice("complex_reasoning", f"the question has {words} words, more than {FAST_WORDS}")
    if (hard := HARD.search(question)) is not None:
        return RoleChoice("complex_reasoning", f"the question says {hard[0].lower()!r}")
    if question.count("?") > 1 or "\n" in question.strip():
        return RoleChoice("complex_reasoning", "the question has several parts")
    return RoleChoice("fast_routing", f"a simple question of {words} words")
