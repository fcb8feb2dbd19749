"""The cluster as a deployment sees it: kubectl, helm, and ways to single pods."""

import json
import re
import subprocess
import tempfile
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
"""Selectors of the release's own gateways, and of the new one beside them."""


@dataclass(frozen=True)
class Caller:
    """Who asks, whom, and what."""

    key: str
    agent: str
    text: str


@dataclass(frozen=True)
class Cluster:
    """One cluster, and the namespace of the release in it."""

    kube: Kube
    namespace: str = "slipway-system"

    def run(self, *arguments: str) -> str:
        """kubectl in the release's namespace. Raises DevclusterError with what it wrote when it fails."""
        return self.kube.run(f"--namespace={self.namespace}", *arguments)

    def apply(self, manifest: Mapping[str, Any]) -> None:
        """Apply one object server-side. What helm wrote gives way: helm is told the same afterwards."""
        options = ("--server-side", "--force-conflicts", "--field-manager=slipway-deploy", "--filename=-")
        command = [*self.kube.kubectl, f"--namespace={self.namespace}", "apply", *options]
        run(command, stdin=json.dumps(manifest))  # JSON is YAML

    def gateways(self, selector: str) -> list[str]:
        """Names of the running gateway pods that a selector finds. Raises DemoError where there is none."""
        found = self.kube.items("pods", f"--namespace={self.namespace}", f"--selector={selector}")
        running = [pod for pod in found if pod["status"].get("phase") == "Running"]
        names = [pod["metadata"]["name"] for pod in running if "deletionTimestamp" not in pod["metadata"]]
        if not names:
            raise DemoError(f"no gateway pod runs in {self.namespace} with the labels {selector}")
        return sorted(names)

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

    def ask(self, pod: str, caller: Caller) -> None:
        """One question to one gateway pod, as a caller asks it. Raises DemoError where it does not answer."""
        with self.forwarded(pod, HTTP) as address:
            question.ask(address, caller.key, caller.text, agent=caller.agent)

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
