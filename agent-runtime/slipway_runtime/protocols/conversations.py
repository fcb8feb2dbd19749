"""Conversations that clients keep: the question among the messages, and what comes before and after it."""

from collections.abc import Sequence
from dataclasses import dataclass

from slipway_runtime.protocols.ask import ImagePart, Message
from slipway_runtime.protocols.client_calls import run_of
from slipway_runtime.protocols.parameters import BadParameter

IMAGES_MAX = 32
"""Pictures in a request."""


@dataclass(frozen=True)
class Conversation:
    """The question, and the messages around it."""

    question: Message
    before: tuple[Message, ...]
    after: tuple[Message, ...]
    """Tool calls and their results."""

    @property
    def results(self) -> dict[str, str]:
        """The text of each result that the conversation ends with, by its call's id."""
        found: dict[str, str] = {}
        for message in reversed(self.after):
            if message.role != "tool":
                break
            found[message.tool_call_id or ""] = message.text
        return found

    @property
    def client_results(self) -> dict[str, str]:
        """Those of them whose calls a run of ours made."""
        return {call: text for call, text in self.results.items() if run_of(call)}


def split(messages: Sequence[Message]) -> Conversation:
    """Find the question among messages.

    Raises:
        BadParameter: naming the message.
    """
    if sum(isinstance(part, ImagePart) for message in messages for part in message.parts) > IMAGES_MAX:
        raise BadParameter("messages", f"send at most {IMAGES_MAX} images")
    asked = max((place for place, message in enumerate(messages) if message.role == "user"), default=None)
    if asked is None:
        raise BadParameter("messages", "there is no message of the user: send one with the question")
    question, rest = messages[asked], messages[asked + 1 :]
    if not (question.text.strip() or any(isinstance(part, ImagePart) for part in question.parts)):
        raise BadParameter(f"messages.{asked}.content", "must not be blank")
    late_system = [message for message in rest if message.role == "system"]
    after = [message for message in rest if message.role != "system"]
    if after and after[-1].role != "tool":
        raise BadParameter("messages", "must end with a message of the user, or with results of tools")
    return Conversation(question, (*messages[:asked], *late_system), tuple(after))
