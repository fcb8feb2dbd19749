"""The wire formats of model providers, as their public references describe them, for `tests.support.model_server`.

Each is a class that reads requests and writes answers, whole or as a stream, and errors. OpenAI chat completions and
Anthropic messages are here, Google and Bedrock in `model_wire_clouds`.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Fault = Literal[
    "slow",  # the first byte comes after `seconds`
    "hang",  # no byte comes at all
    "stall",  # half of the answer, then nothing
    "comments",  # nothing but comments, which keep the connection alive
    "cut",  # half of the answer, then the connection is reset
    "cut_clean",  # half of the answer, then an orderly end without a finish reason
    "error_frame",  # half of the answer, then an error inside the stream
    "endless",  # a stream without an end
    "malformed",  # status 200, and no JSON
    "refusal",  # half of the answer, then the provider's content filter
    "rate_limited",  # 429 with Retry-After
    "server_error",  # 500
    "overloaded",  # 503 (Anthropic: 529)
    "refused_key",  # 401
    "unknown_model",  # 404
]
STATUS: Mapping[str, int] = {
    "rate_limited": 429,
    "server_error": 500,
    "overloaded": 503,
    "refused_key": 401,
    "unknown_model": 404,
}


@dataclass(frozen=True)
class Call:
    """A tool call of the model."""

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""


@dataclass(frozen=True)
class Reply:
    """One scripted answer."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    output: Mapping[str, Any] | None = None
    """Structured output: a call of the output tool where the request has one, else the text."""
    fault: Fault | None = None
    seconds: float = 0.2
    """For `slow`, and between the pieces of `endless`."""
    pause: float = 0
    """Seconds before each piece of a streamed answer."""
    finish: Literal["stop", "length", "content_filter"] = "stop"
    input_tokens: int = 10
    output_tokens: int = 5
    cached_tokens: int = 0

    def pieces(self) -> list[str]:
        """The text in words."""
        return re.findall(r"\S+\s*|\s+", self.text)


@dataclass(frozen=True)
class Parsed:
    """What a request asks for, whatever the format."""

    model: str
    stream: bool
    tools: tuple[str, ...] = ()
    usage: bool = True
    """Whether a stream has the usage in it."""


def resolved(reply: Reply, parsed: Parsed) -> tuple[list[str], tuple[Call, ...]]:
    """Pieces of text and calls, with structured output in its place and ids given."""
    pieces, calls = reply.pieces(), reply.calls
    if reply.output is not None:
        if tool := next((name for name in parsed.tools if name.startswith("final_result")), None):
            calls = (*calls, Call(tool, reply.output))
        else:
            pieces = [json.dumps(reply.output)]
    return pieces, tuple(Call(each.name, each.args, each.id or f"call_{n}") for n, each in enumerate(calls, 1))


def sse(data: Mapping[str, Any] | str, event: str = "") -> bytes:
    """One event of a stream."""
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {event}\n" if event else "").encode() + f"data: {text}\n\n".encode()


class Wire:
    """A format. `frames` yields the pieces of text first, then what ends the stream."""

    content_type = "text/event-stream"

    def parse(self, path: str, body: Mapping[str, Any]) -> Parsed:
        raise NotImplementedError

    def key(self, headers: Mapping[str, str]) -> str:
        raise NotImplementedError

    def whole(self, reply: Reply, parsed: Parsed) -> Mapping[str, Any]:
        raise NotImplementedError

    def opening(self, reply: Reply, parsed: Parsed) -> Iterator[bytes]:
        """What comes before the text."""
        yield from ()

    def piece(self, text: str, parsed: Parsed) -> bytes:
        raise NotImplementedError

    def ending(self, reply: Reply, parsed: Parsed, calls: Sequence[Call]) -> Iterator[bytes]:
        """Tool calls, finish reason and usage."""
        raise NotImplementedError

    def error(self, status: int, message: str) -> Mapping[str, Any]:
        raise NotImplementedError

    def error_frame(self) -> bytes:
        return sse(self.error(500, "the server failed"), "error")

    def model(self, name: str) -> Mapping[str, Any]:
        """What a request for one model's description gets."""
        raise NotImplementedError

    def status(self, fault: str) -> int:
        return STATUS[fault]


class OpenAI(Wire):
    """https://platform.openai.com/docs/api-reference/chat"""

    def parse(self, path: str, body: Mapping[str, Any]) -> Parsed:
        tools = tuple(each["function"]["name"] for each in body.get("tools", ()))
        usage = bool((body.get("stream_options") or {}).get("include_usage"))
        return Parsed(body["model"], bool(body.get("stream")), tools, usage)

    def key(self, headers: Mapping[str, str]) -> str:
        return headers.get("authorization", "").removeprefix("Bearer ")

    @staticmethod
    def usage(reply: Reply) -> Mapping[str, Any]:
        return {
            "prompt_tokens": reply.input_tokens,
            "completion_tokens": reply.output_tokens,
            "total_tokens": reply.input_tokens + reply.output_tokens,
            "prompt_tokens_details": {"cached_tokens": reply.cached_tokens},
        }

    @staticmethod
    def calls(calls: Sequence[Call], *, indexed: bool) -> list[Mapping[str, Any]]:
        return [
            {
                **({"index": number} if indexed else {}),
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.args)},
            }
            for number, call in enumerate(calls)
        ]

    def whole(self, reply: Reply, parsed: Parsed) -> Mapping[str, Any]:
        pieces, calls = resolved(reply, parsed)
        message: dict[str, Any] = {"role": "assistant", "content": "".join(pieces) or None}
        if calls:
            message["tool_calls"] = self.calls(calls, indexed=False)
        finish = "tool_calls" if calls else reply.finish
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_760_000_000,
            "model": parsed.model,
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": self.usage(reply),
        }

    @staticmethod
    def chunk(parsed: Parsed, delta: Mapping[str, Any] | None, finish: str | None = None, **more: Any) -> bytes:
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
        return sse(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion.chunk",
                "created": 1_760_000_000,
                "model": parsed.model,
                "choices": choices,
                **more,
            }
        )

    def opening(self, reply: Reply, parsed: Parsed) -> Iterator[bytes]:
        yield self.chunk(parsed, {"role": "assistant", "content": ""})

    def piece(self, text: str, parsed: Parsed) -> bytes:
        return self.chunk(parsed, {"content": text})

    def ending(self, reply: Reply, parsed: Parsed, calls: Sequence[Call]) -> Iterator[bytes]:
        if calls:
            yield self.chunk(parsed, {"tool_calls": self.calls(calls, indexed=True)})
        yield self.chunk(parsed, {}, "tool_calls" if calls else reply.finish)
        if parsed.usage:
            yield self.chunk(parsed, None, usage=self.usage(reply))
        yield sse("[DONE]")

    def error(self, status: int, message: str) -> Mapping[str, Any]:
        code = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}.get(status)
        return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}

    def error_frame(self) -> bytes:
        return sse(self.error(500, "the server failed"))

    def model(self, name: str) -> Mapping[str, Any]:
        return {"id": name, "object": "model", "created": 1_760_000_000, "owned_by": "tests"}


class Anthropic(Wire):
    """https://docs.claude.com/en/api/messages"""

    def parse(self, path: str, body: Mapping[str, Any]) -> Parsed:
        return Parsed(body["model"], bool(body.get("stream")), tuple(each["name"] for each in body.get("tools", ())))

    def key(self, headers: Mapping[str, str]) -> str:
        return headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")

    @staticmethod
    def usage(reply: Reply) -> Mapping[str, Any]:
        return {
            "input_tokens": reply.input_tokens - reply.cached_tokens,
            "cache_read_input_tokens": reply.cached_tokens,
            "cache_creation_input_tokens": 0,
            "output_tokens": reply.output_tokens,
        }

    @staticmethod
    def stop(reply: Reply, calls: Sequence[Call]) -> str:
        names = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
        return "tool_use" if calls else names[reply.finish]

    def message(self, reply: Reply, parsed: Parsed, content: Sequence[Any], stop: str | None) -> Mapping[str, Any]:
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": parsed.model,
            "content": content,
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": self.usage(reply),
        }

    def whole(self, reply: Reply, parsed: Parsed) -> Mapping[str, Any]:
        pieces, calls = resolved(reply, parsed)
        content: list[Mapping[str, Any]] = [{"type": "text", "text": "".join(pieces)}] if pieces else []
        content += [{"type": "tool_use", "id": each.id, "name": each.name, "input": each.args} for each in calls]
        return self.message(reply, parsed, content, self.stop(reply, calls))

    def opening(self, reply: Reply, parsed: Parsed) -> Iterator[bytes]:
        start = {"type": "message_start", "message": self.message(reply, parsed, [], None)}
        yield sse(start, "message_start")
        block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        yield sse(block, "content_block_start")

    def piece(self, text: str, parsed: Parsed) -> bytes:
        delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        return sse(delta, "content_block_delta")

    def ending(self, reply: Reply, parsed: Parsed, calls: Sequence[Call]) -> Iterator[bytes]:
        yield sse({"type": "content_block_stop", "index": 0}, "content_block_stop")
        for index, call in enumerate(calls, 1):
            block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
            yield sse({"type": "content_block_start", "index": index, "content_block": block}, "content_block_start")
            delta = {"type": "input_json_delta", "partial_json": json.dumps(call.args)}
            yield sse({"type": "content_block_delta", "index": index, "delta": delta}, "content_block_delta")
            yield sse({"type": "content_block_stop", "index": index}, "content_block_stop")
        end = {"stop_reason": self.stop(reply, calls), "stop_sequence": None}
        yield sse({"type": "message_delta", "delta": end, "usage": self.usage(reply)}, "message_delta")
        yield sse({"type": "message_stop"}, "message_stop")

    def error(self, status: int, message: str) -> Mapping[str, Any]:
        names = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}
        return {"type": "error", "error": {"type": names.get(status, "api_error"), "message": message}}

    def model(self, name: str) -> Mapping[str, Any]:
        return {"type": "model", "id": name, "display_name": name, "created_at": "2025-10-01T00:00:00Z"}

    def status(self, fault: str) -> int:
        return 529 if fault == "overloaded" else STATUS[fault]
