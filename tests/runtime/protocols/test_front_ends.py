"""Requests that front ends make on their own behalf are known, and people's questions are not taken for them.

The prompts are the defaults of Open WebUI (`backend/open_webui/config.py` at 074d488) and of LibreChat
(`src/utils/title.ts` of `@librechat/agents` 3.6.11, at 28eab85).
"""

import pytest

from slipway_runtime.protocols.front_ends import task_of

HISTORY = "\n### Chat History:\n<chat_history>\nUSER: hi\n</chat_history>"
PROMPTS = {
    "title_generation": "### Task:\nGenerate a concise, 3-5 word title with an emoji summarizing the chat history.",
    "follow_up_generation": "### Task:\nSuggest 3-5 relevant follow-up questions or prompts that the user might",
    "tags_generation": "### Task:\nGenerate 1-3 broad tags categorizing the main themes of the chat history,",
    "image_prompt_generation": "### Task:\nGenerate a detailed prompt for am image generation task based on",
    "query_generation": "### Task:\nAnalyze the chat history to determine the necessity of generating search queries",
    "autocomplete_generation": "### Task:\nYou are an autocompletion system. Continue the text in `<text>` based on",
}


@pytest.mark.parametrize("task", PROMPTS)
def test_open_webuis_own_prompts(task: str) -> None:
    assert task_of(PROMPTS[task] + HISTORY, {}) == task


@pytest.mark.parametrize(
    "prompt",
    [
        "Provide a concise, 5-word-or-less title for the conversation, using title case conventions. Only return the "
        "title itself.\n\nConversation:\nUser: hi\nAI: hello",
        "Analyze this conversation and provide:\n1. The detected language of the conversation\n2. A concise title",
    ],
)
def test_librechats_own_prompts(prompt: str) -> None:
    assert task_of(prompt, {}) == "title_generation"


def test_a_header_names_the_task_of_a_prompt_that_was_changed() -> None:
    assert task_of("Call it something.", {"x-openwebui-task": "title_generation"}) == "title_generation"


@pytest.mark.parametrize("header", ["", "{{TASK}}", "a b"])
@pytest.mark.parametrize(
    "text", ["", "Suggest 3-5 relevant follow-up questions", "### Task:\nRespond to the user query"]
)
def test_a_persons_question(text: str, header: str) -> None:
    assert task_of(text, {"x-openwebui-task": header}) is None
