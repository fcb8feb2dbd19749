"""Requests that front ends make on their own behalf: a title, tags, questions that may follow.

Nobody asked these questions, so no documents are searched for them. They are known by a header, or by how the front
ends' own prompts begin. A prompt that an administrator has changed is known by the header only.

Sources: Open WebUI, `backend/open_webui/routers/tasks.py` (what is sent) and `config.py` (the default prompts), whose
connections may send `X-OpenWebUI-Task: {{TASK}}`; LibreChat, `src/utils/title.ts` of its package `@librechat/agents`.
"""

import re
from collections.abc import Mapping

HEADER = "x-openwebui-task"
NAME = re.compile("[a-z_]{1,40}")
OPEN_WEBUI = {
    "Generate a concise, 3-5 word title": "title_generation",
    "Suggest 3-5 relevant follow-up questions": "follow_up_generation",
    "Generate 1-3 broad tags": "tags_generation",
    "Generate a detailed prompt for am image generation task": "image_prompt_generation",
    "Analyze the chat history to determine the necessity of generating search queries": "query_generation",
    "You are an autocompletion system.": "autocomplete_generation",
}
"""What comes after `### Task:` in Open WebUI's prompts, and its name for the task."""
LIBRECHAT = (
    "Provide a concise, 5-word-or-less title for the conversation",
    "Analyze this conversation and provide:\n1. The detected language of the conversation",
)
TASK_MARK = re.compile(r"\s*### Task:\s*")


def task_of(text: str, headers: Mapping[str, str]) -> str | None:
    """The name of what a front end asks for itself; None for a person's question.

    Args:
        text: of the only message, apart from system messages; empty if there are several.
    """
    name = headers.get(HEADER, "").strip().lower()
    if NAME.fullmatch(name):
        return name
    if mark := TASK_MARK.match(text):
        return next((task for start, task in OPEN_WEBUI.items() if text.startswith(start, mark.end())), None)
    return "title_generation" if text.startswith(LIBRECHAT) else None
