"""The process in which files are read that somebody may have made to exhaust a reader.

It gets requests on standard input and gives results on standard output, one at a time: eight bytes of length, then as
much. A request is the format and the content, parted by a newline. It has little memory, and so much processor time for
each file; beyond that the kernel ends it, which the other side takes for the answer.
"""

import os
import resource
import struct
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import orjson

from slipway_runtime.knowledge.ingestion.formats.choosing import FileFormat
from slipway_runtime.knowledge.ingestion.formats.parsed import Unreadable
from slipway_runtime.knowledge.ingestion.formats.reading import parse

MEMORY = 640 * 1024 * 1024
"""Bytes of address space."""
CPU_SECONDS = 60
"""For one file."""
LENGTH = struct.Struct(">Q")
TOO_MUCH_MEMORY = f"reading it takes more than {MEMORY // 1024**2} MiB of memory; split it or save it anew"
TOO_COMPLEX = "its parts are nested too deeply to be read; save it anew"


def answer(request: bytes) -> bytes:
    """What is made of one request."""
    kind, _, content = request.partition(b"\n")
    try:
        return orjson.dumps({"parsed": asdict(parse(FileFormat(kind.decode()), content))})
    except Unreadable as error:
        return orjson.dumps({"unreadable": str(error)})
    except MemoryError:
        return orjson.dumps({"unreadable": TOO_MUCH_MEMORY})
    except RecursionError:
        return orjson.dumps({"unreadable": TOO_COMPLEX})


def allow_time() -> None:
    """Let this process use so much more processor time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + CPU_SECONDS, hard))


def serve(requests: BinaryIO, results: BinaryIO) -> None:
    """Answer until there are no more requests."""
    while len(head := requests.read(LENGTH.size)) == LENGTH.size:
        allow_time()
        result = answer(requests.read(LENGTH.unpack(head)[0]))
        results.write(LENGTH.pack(len(result)) + result)
        results.flush()


if __name__ == "__main__":
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # before its parent, where a pod has no memory left
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no result
    serve(sys.stdin.buffer, results)
