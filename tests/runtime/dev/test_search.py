"""`slipway search` against agents that `slipway dev` serves."""

import subprocess
import sys
from pathlib import Path

from tests.support.dev_process import DevProcess

MANIFESTS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: manual, namespace: demo}
data:
  faults.md: |
    ---
    team: service
    ---
    # Faults

    | Code | Meaning |
    |---|---|
    | E-1042 | The drain pump is blocked. |
    | E-1043 | The heater does not answer. |
  tea.md: |
    ---
    team: kitchen
    ---
    # Tea

    Green tea is brewed at eighty degrees.
---
apiVersion: slipway.dev/v1alpha1
kind: VectorIndex
metadata: {name: manual, namespace: demo}
spec:
  backend: {chroma: {}}
  sources: [{name: docs, configMap: {name: manual}}]
---
apiVersion: slipway.dev/v1alpha1
kind: Agent
metadata: {name: helper, namespace: demo}
spec:
  architecture: langgraph
  knowledge: [{name: manual, indexRef: {name: manual}, minScore: "0"}]
"""


async def test_passages_with_scores_filters_and_what_is_wrong(tmp_path: Path) -> None:
    dev = DevProcess(tmp_path, "--port", "0")
    dev.replace(MANIFESTS)
    dev.start()
    try:
        url = await dev.url()

        def search(*words: str) -> tuple[int, str]:
            command: list[str | Path] = [Path(sys.executable).with_name("slipway"), "search", *words, "--url", url]
            done = subprocess.run(command, env=dev.environment, capture_output=True, text=True, check=False)
            return done.returncode, done.stdout + done.stderr

        status, shown = search("What does E-1042 mean?", "-i", "manual")
        assert status == 0
        assert shown.index("faults.md") < shown.index("tea.md")
        assert "The drain pump is blocked." in shown
        status, shown = search("pump", "--where", '{"field": "team", "op": "eq", "value": "kitchen"}')
        assert (status, "tea.md" in shown, "faults.md" in shown) == (0, True, False)
        status, shown = search("pump", "--where", '{"field": "team", "op": "like", "value": "k"}')
        assert (status, "there is no operator 'like'" in shown) == (1, True)
        status, shown = search("pump", "-i", "other")
        assert (status, "this agent has manual" in shown) == (1, True)
        assert search("pump", "--where", "{")[0] == 1
        status, shown = search("pump", "--agent", "demo/nobody")
        assert (status, "demo/nobody" in shown) == (1, True)
    finally:
        dev.stop()
