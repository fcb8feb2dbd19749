"""Passwords and certificates of brokers, as the local driver finds them."""

from pathlib import Path

from slipway_crds.workflows.model import Workflow
from slipway_runtime.dev import kafka_files
from slipway_runtime.dev.manifests import Manifests, load

WORKFLOW = """
apiVersion: slipway.dev/v1alpha1
kind: Workflow
metadata: {name: flow, namespace: demo}
spec:
  steps: [{name: nap, wait: {duration: 5s}}]
  triggers:
    - name: orders
      kafka:
        brokers: ["kafka:9093"]
        topic: orders
        tls: {caBundleRef: {name: authorities, key: kafka.pem}}
        sasl: {username: me, passwordRef: {name: login, key: KAFKA_PASSWORD}}
"""
BUNDLE = """
---
apiVersion: v1
kind: ConfigMap
metadata: {name: authorities, namespace: demo}
data: {kafka.pem: certificates}
"""


def written(folder: Path, manifests: Manifests, environment: dict[str, str]) -> dict[str, list[str]]:
    workflows = [each for each in manifests.objects if isinstance(each, Workflow)]
    return {str(key): words for key, words in kafka_files.write(folder, workflows, manifests, environment).items()}


def test_files_are_written_for_this_user_alone_and_what_is_missing_is_said(tmp_path: Path) -> None:
    file, folder = tmp_path / "flow.yaml", tmp_path / "kafka"
    file.write_text(WORKFLOW)
    bundle, password = written(folder, load([file]), {})["demo/flow"]
    assert bundle.startswith("Workflow demo/flow: orders/ca.crt has no value: add a ConfigMap authorities")
    assert password.startswith("Workflow demo/flow: orders/password has no value: set KAFKA_PASSWORD, or add a Secret")
    file.write_text(WORKFLOW + BUNDLE)
    assert written(folder, load([file]), {"KAFKA_PASSWORD": "secret"}) == {}
    found = folder / "demo" / "flow" / "orders"
    assert ((found / "ca.crt").read_text(), (found / "password").read_text()) == ("certificates", "secret")
    assert (found / "password").stat().st_mode & 0o077 == 0
    file.write_text(WORKFLOW)
    assert len(written(folder, load([file]), {"KAFKA_PASSWORD": "secret"})["demo/flow"]) == 1
    assert not (found / "ca.crt").exists()
