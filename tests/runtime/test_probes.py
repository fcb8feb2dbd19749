"""`/readyz` names what is missing, and no file of the machine."""

import json

import pytest

from slipway_runtime.probes import readiness, without_files

FILE = "(a file that the log names)"


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("[Errno 2] No such file: '/etc/slipway/keys/keys.json'", f"[Errno 2] No such file: '{FILE}'"),
        ("waiting for the store's DSN in /etc/slipway/store/dsn: gone", f"waiting for the store's DSN in {FILE}: gone"),
        ("sqlite:////data/store.db cannot be used", f"sqlite:{FILE} cannot be used"),
        ("the Chroma in /data cannot be opened", f"the Chroma in {FILE} cannot be opened"),
        ("no socket (/run/postgresql/.s.PGSQL.5432)", f"no socket ({FILE})"),
        ("http://handbook-index:8000/api/v2 answered 500", "http://handbook-index:8000/api/v2 answered 500"),
        ("GET /apis/slipway.dev/v1alpha1/agents: 403", "GET /apis/slipway.dev/v1alpha1/agents: 403"),
        ("the index demo/handbook is not built", "the index demo/handbook is not built"),
    ],
)
def test_files_are_left_to_the_log(sentence: str, said: str) -> None:
    assert without_files(sentence) == said


def test_the_answer_is_503_until_nothing_is_missing() -> None:
    assert (readiness([]).status_code, json.loads(bytes(readiness([]).body))) == (200, {"ready": True, "missing": []})
    assert readiness(["a store"]).status_code == 503
