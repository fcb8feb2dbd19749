"""The rotation of the gateway's key: the Secret, the lists of hosts, and what is remembered, over a fake API server."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slipway_crds.identity import IdentityKeys, signed_text
from slipway_crds.registry import OWNER_KINDS
from slipway_operator.core.cache import Cache
from slipway_operator.core.kube import KubeClient
from slipway_operator.installation.identity import anchor_key, identity_secret, public_key
from slipway_operator.installation.rotation import KEEP_SECONDS, IdentityRotation, settled
from tests.support import operator_builds
from tests.support.operator_api import FakeApi, Fault, fake_api

SYSTEM = "slipway-system"
SECRET = f"/api/v1/namespaces/{SYSTEM}/secrets/slipway-identity"
MEMORY = f"/api/v1/namespaces/{SYSTEM}/configmaps/slipway-identity-keys"
LIST = "/api/v1/namespaces/demo/configmaps/slipway-identity"
POD = f"/api/v1/namespaces/{SYSTEM}/pods/gateway"
ANCHOR = anchor_key(bytes(32))
NOTICE = 120.0


class Installation:
    """An operator, its volume of the Secret, and a clock."""

    def __init__(self, api: FakeApi, kube: KubeClient, folder: Path) -> None:
        self.api = api
        self.folder = folder
        self.now = 1_800_000_000.0
        self._kube = kube
        self.rotation = self.operator()

    def operator(self) -> IdentityRotation:
        """Another one, which remembers nothing itself."""
        cache = Cache()
        cache.put_resource(operator_builds.resource(operator_builds.agent()))
        secret = identity_secret(self._kube, namespace=SYSTEM, folder=self.folder)
        self.rotation = IdentityRotation(
            self._kube, cache, secret, namespace=SYSTEM, anchor=ANCHOR, notice=NOTICE, clock=lambda: self.now
        )
        return self.rotation

    async def begun(self) -> None:
        """The first key is made, and in the volume; a gateway serves."""
        self.api.objects[POD] = {"metadata": {}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        await self.rotation.start()
        self.fill_volume()
        await self.rotation.look()

    def fill_volume(self) -> None:
        """As the kubelet does."""
        (self.folder / "private.pem").write_bytes(self.secret)

    def delete_secret(self) -> None:
        """As a person does, and the kubelet empties the volume."""
        del self.api.objects[SECRET]
        (self.folder / "private.pem").unlink()

    @property
    def secret(self) -> bytes:
        return base64.b64decode(self.api.objects[SECRET]["data"]["private.pem"])

    @property
    def accepted(self) -> set[str]:
        """What hosts of the namespace with an agent accept."""
        listed = IdentityKeys.model_validate_json(self.api.objects[LIST]["data"]["keys.json"])
        ANCHOR.public_key().verify(base64.b64decode(listed.signature), signed_text(listed.keys))
        return set(listed.keys)

    def writes(self) -> int:
        return sum(method != "GET" for method, _ in self.api.requests)


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    async with fake_api() as (api, kube):
        yield Installation(api, kube, tmp_path)


async def test_hosts_accept_the_first_key(installation: Installation) -> None:
    await installation.begun()
    assert installation.accepted == {public_key(installation.secret)}


async def test_nothing_is_written_while_nothing_changes(installation: Installation) -> None:
    await installation.begun()
    written = installation.writes()
    await installation.rotation.look()
    other = installation.operator()
    await other.start()
    await other.look()
    assert installation.writes() == written


async def test_hosts_learn_of_the_new_key_before_gateways_get_it(installation: Installation) -> None:
    await installation.begun()
    old = public_key(installation.secret)
    installation.delete_secret()
    await installation.rotation.look()
    assert SECRET not in installation.api.objects
    (new,) = installation.accepted - {old}
    assert installation.accepted == {old, new}

    installation.now += NOTICE
    await installation.rotation.look()
    assert public_key(installation.secret) == new
    await installation.rotation.look()
    assert installation.accepted == {old, new}, "gateways still read the old one"

    installation.fill_volume()
    installation.now += KEEP_SECONDS
    await installation.rotation.look()
    assert installation.accepted == {new}, "what was leaked is worth nothing any more"


async def test_a_rotation_survives_the_operator(installation: Installation) -> None:
    await installation.begun()
    old = public_key(installation.secret)
    installation.delete_secret()
    await installation.rotation.look()
    other = installation.operator()
    await other.start()
    await other.look()
    assert old in installation.accepted
    installation.now += NOTICE
    await other.look()
    installation.fill_volume()
    await other.look()
    assert {old, public_key(installation.secret)} < installation.accepted


async def test_the_secret_is_made_at_once_when_no_gateway_has_the_old_key(installation: Installation) -> None:
    await installation.begun()
    del installation.api.objects[POD]
    installation.delete_secret()
    await installation.rotation.look()
    assert public_key(installation.secret) in installation.accepted


async def test_a_key_that_somebody_gave_by_hand_is_accepted(installation: Installation) -> None:
    await installation.begun()
    old = installation.secret
    installation.delete_secret()
    await identity_secret(installation._kube, namespace=SYSTEM, folder=installation.folder).obtain()
    installation.fill_volume()
    await installation.rotation.look()
    assert installation.accepted == {public_key(old), public_key(installation.secret)}


async def test_a_list_that_was_changed_or_deleted_is_put_right(installation: Installation) -> None:
    await installation.begun()
    right = installation.api.objects[LIST]["data"]
    installation.api.objects[LIST] = {**installation.api.objects[LIST], "data": {"keys.json": "{}"}}
    await installation.rotation.look()
    assert installation.api.objects[LIST]["data"] == right
    del installation.api.objects[LIST]
    await installation.rotation.look()
    assert installation.api.objects[LIST]["data"] == right


async def test_every_kind_whose_pods_answer_gateways_gets_the_list(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await installation.begun()
    del installation.api.objects[LIST]
    monkeypatch.setitem(OWNER_KINDS, "Agent", replace(OWNER_KINDS["Agent"], serves=False))
    await installation.rotation.look()
    assert LIST not in installation.api.objects
    monkeypatch.setitem(OWNER_KINDS, "Agent", replace(OWNER_KINDS["Agent"], serves=True))
    await installation.rotation.look()
    assert LIST in installation.api.objects


async def test_a_namespace_that_takes_no_list_holds_nothing_up(installation: Installation) -> None:
    await installation.begun()
    del installation.api.objects[LIST]
    installation.api.faults.extend([Fault(404, "NotFound"), Fault(403, "Forbidden")])
    await installation.rotation.look()
    assert LIST not in installation.api.objects
    await installation.rotation.look()
    assert installation.accepted == {public_key(installation.secret)}


async def test_what_is_remembered_holds_public_keys_alone(installation: Installation) -> None:
    await installation.begun()
    assert json.loads(installation.api.objects[MEMORY]["data"]["keys.json"]) == {public_key(installation.secret): None}


@pytest.mark.parametrize("change", ["keys.json", "signature"])
async def test_a_key_that_somebody_wrote_into_what_is_remembered_is_given_to_nobody(
    installation: Installation, change: str
) -> None:
    await installation.begun()
    changes = {"keys.json": json.dumps({"intruder": None}), "signature": "AAAA"}
    data = installation.api.objects[MEMORY]["data"]
    installation.api.objects[MEMORY]["data"] = {**data, change: changes[change]}
    other = installation.operator()
    await other.start()
    await other.look()
    assert installation.accepted == {public_key(installation.secret)}


@pytest.mark.parametrize(
    ("known", "after"),
    [
        pytest.param({}, {"new": None}, id="the first"),
        pytest.param({"new": None}, {"new": None}, id="nothing changed"),
        pytest.param({"old": None, "new": None}, {"new": None, "old": 1000.0}, id="just replaced"),
        pytest.param({"old": 900.0, "new": None}, {"new": None, "old": 900.0}, id="replaced a while ago"),
        pytest.param({"old": 1000.0 - KEEP_SECONDS, "new": None}, {"new": None}, id="replaced long ago"),
        pytest.param({"old": None, "new": 900.0}, {"new": None, "old": 1000.0}, id="the one before came back"),
    ],
)
def test_what_hosts_accept_while_a_key_is_in_force(known: dict[str, Any], after: dict[str, Any]) -> None:
    assert settled(known, current="new", now=1000.0) == after
