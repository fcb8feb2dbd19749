"""The Ingress and the HTTPRoute to the gateway, by the schemas of their kinds, and the notes on the first key."""

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway_demo.paths import CHART
from slipway_runtime.gateway.auth import CallerKeyFile, hash_key
from tests.chart.conftest import KUBERNETES, Object, Render
from tests.support import npm
from tests.support.manifests import find

MODELS = Path(__file__).parents[1] / "support" / "kubernetes_models"
INGRESS: dict[str, Any] = {
    "enabled": True,
    "className": "nginx",
    "host": "agents.example.org",
    "tls": {"secretName": "agents-tls"},
    "annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "1m", "example.com/team": "platform"},
}
ROUTE: dict[str, Any] = {
    "enabled": True,
    "parentRefs": [{"name": "public", "namespace": "gateways", "sectionName": "https"}],
    "hostnames": ["agents.example.org"],
    "annotations": {"example.com/team": "platform"},
}
KINDS = ("Ingress", "HTTPRoute")


def problems(objects: list[Object]) -> list[str | None]:
    """What is wrong with each, by the schema of its kind."""
    out = asyncio.run(npm.output_of(MODELS, "validate.mjs", json.dumps(objects), seconds=60))
    found: list[str | None] = json.loads(out)
    return found


def doors(render: Render, **values: Any) -> list[Object]:
    return [each for each in render({"gateway": values}) if each["kind"] in KINDS]


def test_there_is_none_unless_it_is_asked_for(render: Render) -> None:
    assert not doors(render)


def test_what_is_rendered_is_valid_whatever_is_left_out(render: Render) -> None:
    objects = [
        *doors(render, ingress=INGRESS, httpRoute=ROUTE, service={"port": 8000}),
        *doors(render, ingress={"enabled": True}, httpRoute={"enabled": True, "parentRefs": [{"name": "public"}]}),
        *doors(render, ingress={"enabled": True, "tls": {"secretName": "agents-tls"}}),
    ]
    assert len(objects) == 5
    assert problems(objects) == [None] * 5
    broken = [{**objects[0], "spec": {"rules": "all"}}, {**objects[1], "spec": {"parentRefs": [{}]}}]
    assert all(problems(broken)), "the schemas refuse what is wrong"


def test_the_ingress_leads_to_the_gateway_and_does_not_buffer(render: Render) -> None:
    (ingress,) = doors(render, ingress=INGRESS, service={"port": 8000})
    assert ingress["spec"] == {
        "ingressClassName": "nginx",
        "tls": [{"secretName": "agents-tls", "hosts": ["agents.example.org"]}],
        "rules": [
            {
                "host": "agents.example.org",
                "http": {
                    "paths": [
                        {
                            "path": "/",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": "slipway-gateway", "port": {"number": 8000}}},
                        }
                    ]
                },
            }
        ],
    }
    prefix = "nginx.ingress.kubernetes.io/"
    assert ingress["metadata"]["annotations"] == {
        f"{prefix}proxy-buffering": "off",
        f"{prefix}proxy-request-buffering": "off",
        f"{prefix}proxy-read-timeout": "3600",
        f"{prefix}proxy-send-timeout": "3600",
        f"{prefix}proxy-body-size": "1m",
        "example.com/team": "platform",
    }


def test_the_route_leads_to_the_gateway_and_sets_no_limit_of_time(render: Render) -> None:
    (route,) = doors(render, httpRoute=ROUTE)
    service = find(render({}), "Service", "slipway-gateway")
    assert route["spec"] == {
        "parentRefs": ROUTE["parentRefs"],
        "hostnames": ["agents.example.org"],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [{"name": "slipway-gateway", "port": service["spec"]["ports"][0]["port"]}],
                "timeouts": {"request": "0s", "backendRequest": "0s"},
            }
        ],
    }


def notes(helm: str, tmp_path: Path, **gateway: Any) -> str:
    """What helm says after it installed the chart, as a template of a copy: helm shows notes to clusters only."""
    chart = tmp_path / "chart"
    if not chart.exists():
        shutil.copytree(CHART, chart)
        (chart / "templates" / "NOTES.txt").rename(chart / "notes")
        (chart / "templates" / "shown.yaml").write_text('shown: {{ tpl (.Files.Get "notes") . | quote }}')
    values = tmp_path / "values.json"
    values.write_text(json.dumps({"gateway": gateway}))
    options = ["--namespace=agents", f"--kube-version={KUBERNETES}", f"--values={values}"]
    command = [helm, "template", "slipway", str(chart), "--show-only=templates/shown.yaml", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return str(yaml.safe_load(done.stdout)["shown"])


def test_the_notes_have_a_command_that_makes_the_first_key(helm: str, tmp_path: Path) -> None:
    (command,) = [line.strip() for line in notes(helm, tmp_path).splitlines() if "KEY=" in line]
    kubectl = tmp_path / "kubectl"
    kubectl.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$0.said"\n')
    kubectl.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, env={"PATH": path})
    said = (tmp_path / "kubectl.said").read_text().splitlines()
    assert said[:-1] == ["-n", "agents", "create", "secret", "generic", "slipway-first-key"]
    name, _, content = said[-1].removeprefix("--from-literal=").partition("=")
    assert name == "keys.json"
    (entry,) = CallerKeyFile.model_validate_json(content).keys
    assert (entry.name, entry.sha256) == ("first", hash_key(done.stdout.strip()))


@pytest.mark.parametrize(
    "auth", [{"mode": "open"}, {"existingSecret": "keys"}, {"keys": [{"name": "alice", "sha256": "0" * 64}]}]
)
def test_the_first_key_counts_only_where_there_is_no_other(
    helm: str, render: Render, tmp_path: Path, auth: dict[str, Any]
) -> None:
    assert "slipway-first-key" not in notes(helm, tmp_path, auth=auth)
    assert "slipway-first-key" not in json.dumps(render({"gateway": {"auth": auth}}))
    assert "slipway-first-key" in json.dumps(render({}))


def test_the_notes_say_where_users_reach_the_gateway(helm: str, tmp_path: Path) -> None:
    assert "https://agents.example.org" in notes(helm, tmp_path, ingress=INGRESS)
    assert "in the clear" in notes(helm, tmp_path, ingress={"enabled": True, "host": "agents.example.org"})
    assert "agents.example.org, by the Gateway public" in notes(helm, tmp_path, httpRoute=ROUTE)
