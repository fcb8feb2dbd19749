"""The wire formats of Google generateContent and Bedrock converse, and which format a request has.

See `tests.support.model_wire`.
"""

import json
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.support.model_wire import Anthropic, Call, OpenAI, Parsed, Reply, Wire, resolved, sse


class Google(Wire):
    """https://ai.google.dev/api/generate-content"""

    def parse(self, path: str, body: Mapping[str, Any]) -> Parsed:
        model, _, verb = path.partition("?")[0].rpartition("/")[2].partition(":")
        declared = [each for tool in body.get("tools", ()) for each in tool.get("functionDeclarations", ())]
        return Parsed(model, verb == "streamGenerateContent", tuple(each["name"] for each in declared))

    def key(self, headers: Mapping[str, str]) -> str:
        return headers.get("x-goog-api-key", "")

    def answer(
        self, parsed: Parsed, parts: Sequence[Any], finish: str | None = None, reply: Reply | None = None
    ) -> Mapping[str, Any]:
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
        if finish:
            names = {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
            candidate["finishReason"] = names[finish]
        answer: dict[str, Any] = {"candidates": [candidate], "modelVersion": parsed.model, "responseId": "r1"}
        if reply:
            answer["usageMetadata"] = {
                "promptTokenCount": reply.input_tokens,
                "cachedContentTokenCount": reply.cached_tokens,
                "candidatesTokenCount": reply.output_tokens,
                "totalTokenCount": reply.input_tokens + reply.output_tokens,
            }
        return answer

    @staticmethod
    def parts(calls: Sequence[Call]) -> list[Mapping[str, Any]]:
        return [{"functionCall": {"name": each.name, "args": each.args}} for each in calls]

    def whole(self, reply: Reply, parsed: Parsed) -> Mapping[str, Any]:
        pieces, calls = resolved(reply, parsed)
        text: list[Mapping[str, Any]] = [{"text": "".join(pieces)}] if pieces else []
        return self.answer(parsed, [*text, *self.parts(calls)], reply.finish, reply)

    def piece(self, text: str, parsed: Parsed) -> bytes:
        return sse(self.answer(parsed, [{"text": text}]))

    def ending(self, reply: Reply, parsed: Parsed, calls: Sequence[Call]) -> Iterator[bytes]:
        yield sse(self.answer(parsed, self.parts(calls), reply.finish, reply))

    def error(self, status: int, message: str) -> Mapping[str, Any]:
        names = {401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
        return {"error": {"code": status, "message": message, "status": names.get(status, "INTERNAL")}}

    def error_frame(self) -> bytes:
        return sse(self.error(500, "the server failed"))

    def model(self, name: str) -> Mapping[str, Any]:
        return {"name": f"models/{name}", "displayName": name}


class Bedrock(Wire):
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html"""

    content_type = "application/vnd.amazon.eventstream"

    def parse(self, path: str, body: Mapping[str, Any]) -> Parsed:
        _, model, verb = path.partition("?")[0].strip("/").split("/")
        tools = (body.get("toolConfig") or {}).get("tools", ())
        names = tuple(each["toolSpec"]["name"] for each in tools if "toolSpec" in each)
        return Parsed(model, verb == "converse-stream", names)

    def key(self, headers: Mapping[str, str]) -> str:
        return headers.get("authorization", "").removeprefix("Bearer ")

    @staticmethod
    def usage(reply: Reply) -> Mapping[str, Any]:
        total = reply.input_tokens + reply.output_tokens
        return {"inputTokens": reply.input_tokens, "outputTokens": reply.output_tokens, "totalTokens": total}

    @staticmethod
    def stop(reply: Reply, calls: Sequence[Call]) -> str:
        names = {"stop": "end_turn", "length": "max_tokens", "content_filter": "content_filtered"}
        return "tool_use" if calls else names[reply.finish]

    def whole(self, reply: Reply, parsed: Parsed) -> Mapping[str, Any]:
        pieces, calls = resolved(reply, parsed)
        content: list[Mapping[str, Any]] = [{"text": "".join(pieces)}] if pieces else []
        content += [{"toolUse": {"toolUseId": each.id, "name": each.name, "input": each.args}} for each in calls]
        return {
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": self.stop(reply, calls),
            "usage": self.usage(reply),
            "metrics": {"latencyMs": 1},
        }

    @staticmethod
    def frame(kind: str, name: str, payload: Mapping[str, Any]) -> bytes:
        """A message of an AWS event stream: lengths, checksum, headers, payload, checksum."""
        headers = b""
        for header, value in ((f":{kind}-type", name), (":content-type", "application/json"), (":message-type", kind)):
            headers += struct.pack("!B", len(header)) + header.encode() + b"\x07"
            headers += struct.pack("!H", len(value)) + value.encode()
        body = json.dumps(payload).encode()
        prelude = struct.pack("!II", len(headers) + len(body) + 16, len(headers))
        message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + body
        return message + struct.pack("!I", zlib.crc32(message))

    def opening(self, reply: Reply, parsed: Parsed) -> Iterator[bytes]:
        yield self.frame("event", "messageStart", {"role": "assistant"})

    def piece(self, text: str, parsed: Parsed) -> bytes:
        return self.frame("event", "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}})

    def ending(self, reply: Reply, parsed: Parsed, calls: Sequence[Call]) -> Iterator[bytes]:
        yield self.frame("event", "contentBlockStop", {"contentBlockIndex": 0})
        for index, call in enumerate(calls, 1):
            start = {"toolUse": {"toolUseId": call.id, "name": call.name}}
            yield self.frame("event", "contentBlockStart", {"contentBlockIndex": index, "start": start})
            delta = {"toolUse": {"input": json.dumps(call.args)}}
            yield self.frame("event", "contentBlockDelta", {"contentBlockIndex": index, "delta": delta})
            yield self.frame("event", "contentBlockStop", {"contentBlockIndex": index})
        yield self.frame("event", "messageStop", {"stopReason": self.stop(reply, calls)})
        yield self.frame("event", "metadata", {"usage": self.usage(reply), "metrics": {"latencyMs": 1}})

    def error(self, status: int, message: str) -> Mapping[str, Any]:
        return {"message": message}

    def error_frame(self) -> bytes:
        return self.frame("exception", "internalServerException", {"message": "the server failed"})

    def model(self, name: str) -> Mapping[str, Any]:
        return {"modelDetails": {"modelId": name}}


OPENAI, ANTHROPIC, GOOGLE, BEDROCK = OpenAI(), Anthropic(), Google(), Bedrock()


def wire_of(path: str, headers: Mapping[str, str]) -> Wire | None:
    """The format of a request, by what its SDK sends."""
    if path.startswith(("/model/", "/foundation-models/", "/inference-profiles/")):
        return BEDROCK
    if "x-goog-api-client" in headers:
        return GOOGLE
    if "anthropic-version" in headers:
        return ANTHROPIC
    return OPENAI if path.startswith(("/v1/chat/completions", "/v1/models")) else None
