"""Keys and passwords of the installation are exchanged, while questions run and without a pod that rolls."""

import json
from typing import Any

import aiohttp
import pytest

from slipway_crds.identity import IdentityKeys
from slipway_demo import chart, waiting
from tests.support import operator_manifests as manifests
from tests.support.chatting import AGENT, QUESTION, ask, chat_path, longest, open_streams, traffic
from tests.support.cluster import Installation
from tests.support.operator_bench import Bench, bench
from tests.support.waiting import until_async, until_seen

pytestmark = pytest.mark.cluster
__all__ = ["bench"]

SYSTEM = chart.NAMESPACE
READ_AGAIN = "signing with another identity key"


async def test_rotating_the_identity_key_fails_no_question(
    installation: Installation, asking: aiohttp.ClientSession
) -> None:
    before = started(installation)
    old = secret(installation, "slipway-identity")
    question, _ = await longest(asking)
    streams = await open_streams(asking, 4, question)
    async with traffic(asking, 2) as running:
        installation.kube.run("delete", "secret", "slipway-identity", f"--namespace={SYSTEM}")
        await until_seen(lambda: len(accepted(installation)) == 2, "hosts are given a second key", deadline=180)
        await until_seen(lambda: remade(installation, old), "the Secret is made again", deadline=180)
        await until_seen(lambda: all_sign_with_it(installation), "every gateway signs with the new key", deadline=180)
        answered = len(running.answers)
        await until_seen(lambda: len(running.answers) > answered + 2, "questions with the new key", deadline=60)
        running.stop()
    for stream in streams:
        assert (await stream.whole()).last.type == "done"
    assert all(isinstance(answer, dict) for answer in running.answers), running.answers
    assert started(installation) == before, "pods were replaced or started again"


async def test_another_admin_password_rolls_nothing_and_changes_no_tenants_password(
    installation: Installation, asking: aiohttp.ClientSession, bench: Bench
) -> None:
    session = (await ask(asking))["session_id"]
    before, stores = started(installation), store_secrets(installation)
    old = secret(installation, "slipway-postgres")
    installation.kube.run("delete", "secret", "slipway-postgres", f"--namespace={SYSTEM}")
    await until_seen(lambda: remade(installation, old), "the Secret is made again", deadline=180)
    installation.kube.run("delete", "pod", "slipway-postgres-0", f"--namespace={SYSTEM}")
    waiting.for_workloads(installation.kube, SYSTEM, deadline_s=180)

    async def answered() -> bool:
        """Until its hosts have found the store again, a question is to be asked again (503 with Retry-After)."""
        async with asking.post(chat_path(AGENT), json={"question": QUESTION, "session_id": session}) as response:
            return response.status == 200 and (await response.json())["session_id"] == session

    await until_async(answered, "the conversation goes on", deadline=60, pause=1)
    bench.apply(*new_index(bench))
    bench.until_condition("vectorindexes", "handbook")  # for which the operator signed in with the new password
    assert store_secrets(installation) == stores
    assert started(installation) == before, "pods were replaced or started again"


def new_index(bench: Bench) -> tuple[dict[str, Any], ...]:
    return manifests.documents(bench.namespace), manifests.index(bench.namespace)


def secret(installation: Installation, name: str) -> dict[str, Any]:
    return installation.kube.get("secret", name, f"--namespace={SYSTEM}")


def remade(installation: Installation, old: dict[str, Any]) -> bool:
    found = installation.kube.items("secrets", f"--namespace={SYSTEM}")
    new = [each for each in found if each["metadata"]["name"] == old["metadata"]["name"]]
    return bool(new) and all(new[0]["data"][key] != value for key, value in old["data"].items())


def accepted(installation: Installation) -> tuple[str, ...]:
    """Keys that hosts of the handbook's namespace are given."""
    found = installation.kube.get("configmap", "slipway-identity", "--namespace=demo")
    return IdentityKeys.model_validate(json.loads(found["data"]["keys.json"])).keys


def all_sign_with_it(installation: Installation) -> bool:
    pods = installation.ready_pods(SYSTEM, component="gateway")
    return all(READ_AGAIN in installation.kube.run("logs", pod, f"--namespace={SYSTEM}") for pod in pods)


def started(installation: Installation) -> dict[str, int]:
    """Pods of the agent, the gateway and the operator, and how often they were started again."""
    found = installation.restarts("demo", agent="handbook")
    for component in ("gateway", "operator"):
        found |= installation.restarts(SYSTEM, component=component)
    return found


def store_secrets(installation: Installation) -> dict[str, str]:
    """Sign-ins to the store by the Secret's name."""
    found = installation.kube.items("secrets", "--namespace=demo")
    return {each["metadata"]["name"]: each["data"]["dsn"] for each in found if "dsn" in each.get("data", {})}


async def test_rotating_a_namespaces_login_fails_no_question(
    installation: Installation, asking: aiohttp.ClientSession
) -> None:
    before = store_secrets(installation)
    annotations = installation.kube.get("namespace", "demo")["metadata"].get("annotations") or {}
    login = int(annotations.get("slipway.dev/store-login", "1")) + 1
    session = (await ask(asking))["session_id"]
    async with traffic(asking, 2) as running:
        installation.kube.run("annotate", "namespace", "demo", f"slipway.dev/store-login={login}", "--overwrite")
        await until_seen(
            lambda: only_new(installation, before),
            "the earlier Secret is gone",
            deadline=180,
        )
        answered = len(running.answers)
        await until_seen(lambda: len(running.answers) > answered + 2, "questions with the new login", deadline=60)
        running.stop()
    assert all(isinstance(answer, dict) for answer in running.answers), running.answers
    assert (await ask(asking, session_id=session))["session_id"] == session
    pods = installation.ready_pods("demo", agent="handbook")
    dsn = installation.kube.run("exec", pods[0], "--namespace=demo", "--", "cat", "/etc/slipway/store/dsn")
    assert f"_v{login}:" in dsn


def only_new(installation: Installation, before: dict[str, str]) -> bool:
    """Whether there is one Secret of the store, and it is none of those before."""
    now = store_secrets(installation)
    return len(now) == 1 and not now.keys() & before.keys()
