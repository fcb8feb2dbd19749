"""How much a connection may send, and how long it may take."""

import re
import resource
from dataclasses import dataclass

from slipway_runtime.protocols.uploads import FORM_BYTES

LARGE_PATHS = re.compile(
    rb"/v1/chat/completions|(/agent|/smart|/agents/[^/]+/[^/]+)/chat|/agents/[^/]+/[^/]+/runs(/[^/]+/input/[^/]+)?"
    rb"|/agents/[^/]+/[^/]+/(ag-ui|mcp|a2a(/|/message:(send|stream))?)"
    rb"|/plugins/[^/]+/[^/]+/mcp|/mcp|/workflows/[^/]+/[^/]+/runs(/.+)?"
)
"""Where questions are sent, which may have pictures and a long history, results of tools, and inputs of workflows."""
UPLOAD_PATHS = re.compile(rb"/indexes/[^/]+/[^/]+/documents|/agents/[^/]+/[^/]+/indexes/[^/]+/documents")
"""Where documents are sent, to gateways and to hosts."""


@dataclass(frozen=True)
class HttpLimits:
    """The bounds of one server. Bytes, seconds and numbers."""

    url_bytes: int = 8 * 1024
    head_bytes: int = 32 * 1024
    """URL and headers, of a request and of those pipelined behind it."""
    headers: int = 100
    body_bytes: int = 64 * 1024
    large_body_bytes: int = 8 * 1024 * 1024
    """The same at `large_paths`. What nobody reads is not held: the connection is not read from meanwhile."""
    large_paths: re.Pattern[bytes] = LARGE_PATHS
    upload_bytes: int = FORM_BYTES
    """The same at `UPLOAD_PATHS`."""
    framing_bytes: int = 32 * 1024
    """What chunk sizes, chunk extensions and trailers may add to a body."""
    pipelined: int = 8
    """Requests that may wait on one connection behind the one that is being answered; none of them may have a body."""
    connections: int = 2000
    head_seconds: float = 10.0
    """From the connection, or the first byte of a further request, to the end of the headers."""
    body_seconds: float = 10.0
    """From the end of the headers to the end of the body, for one whose length is not given or fits `body_bytes`."""
    body_bytes_a_second: int = 256 * 1024
    """How fast a longer body must come. Its length says how many seconds more it has."""
    stall_seconds: float = 60.0
    """How long a client may read nothing of an answer that is being sent."""
    linger_seconds: float = 2.0
    """How long a refused client gets to read why; what it still sends is thrown away."""

    def body_bytes_at(self, url: bytes) -> int:
        """Bytes that a body may have there."""
        path, _, _ = url.partition(b"?")
        if UPLOAD_PATHS.fullmatch(path):
            return self.upload_bytes
        return self.large_body_bytes if self.large_paths.fullmatch(path) else self.body_bytes

    def seconds_for(self, length: int) -> float:
        """Seconds that a body of this length may take; 0 for a length that is not known."""
        return self.body_seconds + (length / self.body_bytes_a_second if length > self.body_bytes else 0)

    def within_files(self) -> int:
        """How many connections there may be: a request takes two file descriptors, one of them towards a pod."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return self.connections if soft == resource.RLIM_INFINITY else min(self.connections, max(1, soft // 2 - 32))
