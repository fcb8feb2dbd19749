"""What the demo asks, and what it prints as the answer."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from slipway_demo import question
from slipway_demo.errors import DemoError


def test_a_citation_names_its_heading_where_there_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    sources = [{"document": "bees.md", "heading": "Warmth"}, {"document": "file.txt", "heading": ""}]
    question.show("How warm?", {"answer": "Quite. [1][2]", "sources": sources})
    lines = [line.strip("│ ") for line in capsys.readouterr().err.splitlines()]
    assert lines[1:-1] == ["Quite. [1][2]", "[1] bees.md › Warmth", "[2] file.txt"]


@contextmanager
def gateway(*statuses: int) -> Iterator[tuple[str, list[int]]]:
    """URL of a server that answers with these statuses, one after the other, and those that it has not used yet."""
    left = list(statuses)

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status := left.pop(0))
            self.end_headers()
            self.wfile.write(json.dumps({"answer": "Yes.", "reason": f"for {status}"}).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", left
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_question_is_asked_again_while_the_answer_is_to_come_back_later() -> None:
    with gateway(503, 503, 200) as (url, left):
        assert question.ask(url, "key", "Is it?", agent="demo/handbook")["answer"] == "Yes."
    assert left == []


def test_any_other_refusal_is_said_at_once() -> None:
    with gateway(401, 200) as (url, left), pytest.raises(DemoError, match=r"answered 401: .*for 401"):
        question.ask(url, "key", "Is it?", agent="demo/handbook")
    assert left == [200]
