"""What an agent's MCP server has: its tools with their arguments, the template of its documents, and its prompts."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from slipway_runtime.gateway.routes import Description, Offer
from slipway_runtime.protocols.ask import QUESTION_CHARACTERS, SESSION_ID_PATTERN
from slipway_runtime.protocols.mcp import documents
from slipway_runtime.protocols.mcp.messages import Json

LISTED = ("name", "description", "arguments")
"""Fields of a prompt that lists have."""
PLACE = re.compile(r"\{([-_a-z0-9]+)\}")
"""Where an argument goes in a prompt."""
QUESTION = Field(min_length=1, max_length=QUESTION_CHARACTERS)
WHERE = (
    'Only documents whose metadata fits: {"field": "team", "op": "eq", "value": "billing"}, or several of these as'
    ' {"and": [...]}, {"or": [...]} or {"not": {...}}. Operators: eq, ne, gt, gte, lt, lte, in, not_in, contains_any,'
    " exists."
)
ASKED = "The question, in words that stand by themselves unless `session` is given."
FOLLOWED = (
    "For a question that follows up on an earlier one: the session_id of the answer before. Leave it out otherwise."
)
Context = Annotated[str, Field(max_length=QUESTION_CHARACTERS)] | dict[str, Any] | None
"""What a caller knows besides: a text, or what workflows send (`previous_results` and `step_requirements`)."""


class Arguments(BaseModel):
    """Base of the arguments of a tool."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def schema_of(cls) -> Json:
        """The JSON Schema that clients see."""
        return dict(_untitled(cls.model_json_schema()))

    def sent(self) -> Json:
        """What the host gets."""
        return self.model_dump(exclude_none=True)


class AskArguments(Arguments):
    """Of `ask`."""

    question: Annotated[str, QUESTION, Field(description=ASKED)]
    session: Annotated[str | None, Field(pattern=SESSION_ID_PATTERN, description=FOLLOWED)] = None


class FilterArguments(Arguments):
    """Which documents are searched."""

    index: Annotated[str | None, Field(description="Only this entry of the agent's knowledge.")] = None
    source: Annotated[str | None, Field(description="Only documents of this source.")] = None
    document: Annotated[str | None, Field(description="Only the document of this name.")] = None
    where: Annotated[dict[str, Any] | None, Field(description=WHERE)] = None


class SearchArguments(Arguments):
    """Of `search_documents`."""

    query: Annotated[str, Field(min_length=1, max_length=2000, description="What to look for, in a sentence.")]
    filters: Annotated[FilterArguments | None, Field(description="Leave it out to search all documents.")] = None
    context: Annotated[Context, Field(description="Workflows send it. The search goes by the query alone.")] = None

    def sent(self) -> Json:
        """See `Arguments`."""
        return self.model_dump(exclude_none=True, exclude={"context"})


class WebArguments(Arguments):
    """Of `web_search`."""

    query: Annotated[str, Field(min_length=1, max_length=400, description="What to look for, in a few words.")]


class AnalyzeArguments(Arguments):
    """Of `analyze_task`."""

    question: Annotated[str, QUESTION, Field(description="The question to analyse. It is not answered.")]
    context: Annotated[Context, Field(description="What else matters for the choice.")] = None


class WorkflowArguments(Arguments):
    """Of `create_workflow`."""

    based_on: Annotated[
        Annotated[str, QUESTION] | dict[str, Any] | list[str | dict[str, Any]],
        Field(description="What the workflow is to do: a description or a list of tasks, or the result of a step."),
    ]
    context: Annotated[Context, Field(description="What else matters for the steps.")] = None


class InvalidArguments(Exception):
    """The text says what is wrong, for the model that called the tool."""


ARGUMENTS: Mapping[str, type[Arguments]] = {
    "ask": AskArguments,
    "search_documents": SearchArguments,
    "web_search": WebArguments,
    "analyze_task": AnalyzeArguments,
    "create_workflow": WorkflowArguments,
}


def read_arguments(tool: str, given: object) -> Arguments:
    """The arguments of a call. Raises InvalidArguments."""
    try:
        return ARGUMENTS[tool].model_validate(given or {})
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, each['loc'])) or 'arguments'}: {each['msg']}" for each in error.errors())
        raise InvalidArguments(f"Invalid arguments: {'; '.join(faults)}.") from None


def tools_of(description: Description, offer: Offer) -> dict[str, Json]:
    """The tools of an agent by name. One that waits for a person before it is called is none of a client's."""
    about = f" {description.description}" if description.description else ""
    found = {
        "ask": _tool(
            "ask", f"Ask this agent. It answers from what it knows, with its sources.{about}", open_world=True
        ),
        "analyze_task": _tool(
            "analyze_task", "Say what a question asks for and which agent would answer, without answering."
        ),
        "create_workflow": _tool(
            "create_workflow", "Write the manifest of a Workflow that does what is described. It is not applied."
        ),
    }
    if description.knowledge and "search_documents" not in offer.approved:
        indexes = ", ".join(description.knowledge)
        found["search_documents"] = _tool(
            "search_documents", f"Search this agent's documents ({indexes}). Returns the passages most about the query."
        )
    if offer.web_search and "web_search" not in offer.approved:
        found["web_search"] = _tool(
            "web_search", "Search the web. Returns a few pages with their address.", open_world=True
        )
    return found


def templates_of(description: Description) -> tuple[Json, ...]:
    """The resource templates of an agent."""
    if not description.knowledge:
        return ()
    about = "A document that this agent answers from. search_documents and ask give the addresses."
    return ({"uriTemplate": documents.TEMPLATE, "name": "document", "description": about},)


def prompts_of(offer: Offer) -> tuple[Json, ...]:
    """The prompts of an agent as they are listed."""
    return tuple({key: each[key] for key in LISTED if key in each} for each in offer.prompts)


def prompt_of(offer: Offer, name: str, given: Mapping[str, object]) -> Json | None:
    """A prompt with its arguments filled in; None if there is none of this name.

    Raises:
        InvalidArguments: if one is missing or not known.
    """
    found = next((each for each in offer.prompts if each["name"] == name), None)
    if found is None:
        return None
    arguments = {each["name"]: bool(each.get("required")) for each in found.get("arguments") or ()}
    wrong = [key for key, required in arguments.items() if required and key not in given]
    wrong += [str(key)[:40] for key in given if key not in arguments]
    if wrong:
        raise InvalidArguments(f"Arguments that are missing or not known: {', '.join(wrong)}.")
    text = PLACE.sub(lambda at: str(given.get(at[1], "")) if at[1] in arguments else at[0], found["text"])
    message = {"role": "user", "content": {"type": "text", "text": text}}
    about = {"description": found["description"]} if found.get("description") else {}
    return {**about, "messages": [message]}


def _tool(name: str, description: str, *, open_world: bool = False) -> Json:
    return {
        "name": name,
        "description": description,
        "inputSchema": ARGUMENTS[name].schema_of(),
        "annotations": {"readOnlyHint": name != "ask", "openWorldHint": open_world},
    }


def _untitled(schema: Any) -> Any:
    """A schema without the titles that are made of names."""
    if isinstance(schema, dict):
        return {key: _untitled(value) for key, value in schema.items() if key != "title" or isinstance(value, dict)}
    return [_untitled(each) for each in schema] if isinstance(schema, list) else schema
