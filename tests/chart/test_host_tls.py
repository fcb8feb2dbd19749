"""The chart's part in TLS to hosts: who makes certificates, and what the gateway checks them with."""

from typing import Any

import pytest

from tests.chart.conftest import RefusedByHelm, Render

GIVEN = {"mode": "secret", "secretName": "host-tls", "authoritiesConfigMap": "authorities"}


def deployment(objects: list[Any], name: str) -> Any:
    (found,) = [each for each in objects if each["kind"] == "Deployment" and each["metadata"]["name"] == name]
    return found["spec"]["template"]["spec"]


def variables(pod: Any) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in pod["containers"][0]["env"]}


@pytest.mark.parametrize(
    ("values", "secret", "authorities"),
    [({"mode": "operator"}, None, "slipway-host-authorities"), (GIVEN, "host-tls", "authorities")],
)
def test_operator_and_gateway_know_of_the_certificates(
    render: Render, values: dict[str, str], secret: str | None, authorities: str
) -> None:
    objects = render({"hostTLS": values})
    operator = variables(deployment(objects, "slipway-operator"))
    assert operator["SLIPWAY_OPERATOR_HOST_TLS"] == values["mode"]
    assert operator.get("SLIPWAY_OPERATOR_HOST_TLS_SECRET") == secret
    gateway = deployment(objects, "slipway-gateway")
    file = variables(gateway)["SLIPWAY_HOST_AUTHORITIES_FILE"]
    (mount,) = [each for each in gateway["containers"][0]["volumeMounts"] if file.startswith(each["mountPath"] + "/")]
    (volume,) = [each for each in gateway["volumes"] if each["name"] == mount["name"]]
    assert volume["configMap"] == {"name": authorities}
    (policy,) = [
        each["spec"]
        for each in objects
        if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] == "slipway-gateway"
    ]
    assert [{"port": 8080}, {"port": 8443}] in [rule["ports"] for rule in policy["egress"]]


@pytest.mark.parametrize("missing", ["secretName", "authoritiesConfigMap"])
def test_given_certificates_need_both_names(render: Render, missing: str) -> None:
    with pytest.raises(RefusedByHelm, match=f"needs hostTLS.{missing}"):
        render({"hostTLS": {**GIVEN, missing: ""}})
