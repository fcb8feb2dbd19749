"""The cluster as a deployment sees it: kubectl, helm, and ways to single pods."""

import json
import re
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from devcluster.commands import run
from scripts.deploy import metrics, objects
from slipway_demo import question
from slipway_demo.errors import DemoError
from slipway_demo.kube import Kube

LISTENING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")
DEADLINE_S = 30
HTTP, METRICS = 8080, 8081
STABLE = f"{objects.PART_OF}={objects.LIVE},{objects.COMPONENT}=gateway,!{objects.TRACK}"
NEW = ",".join(f"{key}={value}" for key, value in objects.CANDIDATES.items())
"""Selectors of the release's own gateways, and of the new one alongside them."""


@dataclass(frozen=True)
class KubernetesUser:
    """Who asks, whom, and what."""

    key: str
    agent: str
    text: str


@dataclass(frozen=True)
class ReleaseCluster:
    """One cluster, and the namespace of the release in it."""

    kube: Kube
    namespace: str = "slipway-system"

    def run(self, *arguments: str) -> str:
        """kubectl in the release's namespace. Raises DevclusterError with what it wrote when it fails."""
        return self.kube.run(f"--namespace={self.namespace}", *arguments)

    def apply(self, manifest: Mapping[str, Any]) -> None:
        """Apply one object server-side. What helm wrote gives way: helm gets the same values afterwards."""
        self._send(manifest, "apply", "--server-side", "--force-conflicts", "--field-manager=slipway-deploy")

    def replace(self, manifest: Mapping[str, Any]) -> None:
        """Make one object exactly so: unlike `apply`, this takes away what others wrote, such as helm's."""
        self._send(manifest, "replace")

    def _send(self, manifest: Mapping[str, Any], *arguments: str) -> None:
        command = [*self.kube.kubectl, f"--namespace={self.namespace}", *arguments, "--filename=-"]
        run(command, stdin=json.dumps(manifest))  # JSON is YAML

    def gateways(self, selector: str) -> list[str]:
        """Names of the ready gateway pods that a selector finds. Raises DemoError where there is none."""
        names = [pod["metadata"]["name"] for pod in self._pods(selector) if _is_ready(pod)]
        if not names:
            raise DemoError(f"no gateway pod is ready in {self.namespace} with the labels {selector}")
        return sorted(names)

    def restarts(self, selector: str) -> Mapping[str, int]:
        """How often each gateway pod, ready or not, was started anew."""
        return {
            pod["metadata"]["name"]: sum(each["restartCount"] for each in pod["status"].get("containerStatuses", ()))
            for pod in self._pods(selector)
        }

    def _pods(self, selector: str) -> list[dict[str, Any]]:
        found = self.kube.items("pods", f"--namespace={self.namespace}", f"--selector={selector}")
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def counted(self, selector: str) -> Mapping[str, metrics.Sample]:
        """What each of those gateways has counted since it started."""
        return {pod: metrics.read(self._metrics(pod)) for pod in self.gateways(selector)}

    def _metrics(self, pod: str) -> str:
        with self.forwarded(pod, METRICS) as address:
            try:
                with urllib.request.urlopen(f"{address}/metrics", timeout=DEADLINE_S) as response:
                    text: str = response.read().decode()
                    return text
            except OSError as error:
                raise DemoError(f"the metrics of {pod} cannot be read: {error}") from error

    def ask(self, pod: str, caller: KubernetesUser) -> float:
        """One question to one gateway pod, as a caller asks it; the seconds that the answer took.

        Raises DemoError, which names the pod, where it does not answer.
        """
        with self.forwarded(pod, HTTP) as address:
            began = time.monotonic()
            try:
                question.ask(address, caller.key, caller.text, agent=caller.agent)
            except DemoError as error:
                raise DemoError(f"{pod}: {error}") from error
            return time.monotonic() - began

    @contextmanager
    def forwarded(self, pod: str, port: int) -> Iterator[str]:
        """The address of a pod's port on this machine, as long as the block runs."""
        command = [*self.kube.kubectl, f"--namespace={self.namespace}", "port-forward", f"pod/{pod}", f":{port}"]
        with tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
            )
            try:
                # It says where it listens, or ends and so closes its output.
                said = process.stdout.readline() if process.stdout else ""
                found = LISTENING.search(said)
                if not found:
                    errors.seek(0)
                    raise DemoError(f"kubectl port-forward to {pod} failed:\n{said}{errors.read().strip()}")
                yield f"http://127.0.0.1:{found[1]}"
            finally:
                process.terminate()
                process.wait(DEADLINE_S)
                if process.stdout:
                    process.stdout.close()


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
