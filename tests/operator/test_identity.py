"""The gateway's key is there when a gateway needs it, and nothing is written when none does."""

from typing import Any

import pytest

from slipway_operator.identity import ensure_identity, gateways_ready, identity_key
from tests.support.operator_api import FakeApi, fake_api

PODS = "/api/v1/namespaces/slipway-system/pods"
SECRET = "/api/v1/namespaces/slipway-system/secrets/slipway-identity"


def pod(ready: str = "True", *, phase: str = "Running", deleting: bool = False) -> dict[str, Any]:
    metadata = {"deletionTimestamp": "2027-01-15T08:00:00Z"} if deleting else {}
    return {"metadata": metadata, "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}}


READY, WAITING = pod(), pod("False", phase="Pending")


@pytest.mark.parametrize(
    ("pods", "ready"),
    [
        pytest.param([], False, id="none yet"),
        pytest.param([{"metadata": {}}], False, id="no status yet"),
        pytest.param([WAITING], False, id="the first waits"),
        pytest.param([READY], True, id="one"),
        pytest.param([READY, READY], True, id="all"),
        pytest.param([READY, WAITING], False, id="a new one waits beside an old one"),
        pytest.param([WAITING, READY], False, id="whatever the order"),
        pytest.param([pod(deleting=True)], False, id="the last one leaves"),
        pytest.param([READY, pod("False", deleting=True)], True, id="an old one leaves"),
        pytest.param([READY, pod("False", phase="Failed")], True, id="one was evicted"),
    ],
)
def test_when_the_gateways_prove_that_the_key_is_there(pods: list[dict[str, Any]], ready: bool) -> None:
    assert gateways_ready(pods) is ready


def serve(api: FakeApi, *pods: dict[str, Any]) -> None:
    api.objects |= {f"{PODS}/gateway-{number}": found for number, found in enumerate(pods)}


async def test_the_deleted_key_is_made_again_while_old_gateways_are_still_ready() -> None:
    async with fake_api() as (api, kube):
        serve(api, READY, READY, WAITING)
        await ensure_identity(kube, identity_key("rotated"), "slipway-system")
    assert "private.pem" in api.objects[SECRET]["stringData"]


async def test_nothing_is_written_when_all_gateways_are_ready() -> None:
    async with fake_api() as (api, kube):
        serve(api, READY, READY)
        await ensure_identity(kube, identity_key("admin"), "slipway-system")
    assert [method for method, _ in api.requests] == ["GET"]


def test_the_key_follows_from_the_admin_password() -> None:
    one = identity_key("admin").public_key()
    assert one == identity_key("admin").public_key()
    assert one != identity_key("rotated").public_key()
