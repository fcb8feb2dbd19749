"""Processes that are measured: when they are ready, and what they have used."""

import sys
from pathlib import Path

import pytest

from benchmarks.figures import BenchmarkFailed
from benchmarks.processes import environment, fetch, read_usage, running
from tests.support.servers import free_port

SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"process_cpu_seconds_total 1.5\\nprocess_resident_memory_bytes 1048576.0\\n")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def test_usage_is_read_from_metrics() -> None:
    text = (
        "process_cpu_seconds_total 12.5\n"
        "process_resident_memory_bytes 3.145728e+06\n"
        "slipway_embedding_cpu_seconds_total 2.25\n"
        'slipway_runs_total{agent="demo/a"} 7\n'
    )
    usage = read_usage(text)
    assert (usage.cpu, usage.embedding, usage.rss) == (12.5, 2.25, 3.0)


async def test_a_process_is_there_from_ready_on_and_gone_afterwards(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-c", SERVER, str(port)]
    async with running(command, env=environment(), url=url, log=tmp_path / "log", metrics_port=port) as process:
        assert process.usage().cpu == 1.5
    with pytest.raises(OSError, match="refused"):
        fetch(url)


async def test_a_process_that_ends_is_no_benchmark(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no settings')"]
    with pytest.raises(BenchmarkFailed, match="no settings"):
        async with running(command, env=environment(), url="http://127.0.0.1:1", log=tmp_path / "log"):
            pass
