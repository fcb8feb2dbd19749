"""Waiting for the cluster to get where it should be, with its own words on the screen meanwhile."""

import time
from collections.abc import Callable, Sequence

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from devcluster.errors import DevclusterError
from devcluster.progress import console, say
from slipway_demo.conditions import ObjectSummary, index_view, kind_view, workload_view
from slipway_demo.errors import DemoError
from slipway_demo.kube import Kube

POLL_S = 0.5


def for_workloads(kube: Kube, namespace: str, *, deadline_s: float) -> None:
    """Wait until every Deployment and StatefulSet in a namespace is up. Raises DemoError past the deadline."""

    def look() -> list[ObjectSummary]:
        found = kube.items("deployments.apps,statefulsets.apps", f"--namespace={namespace}")
        return [workload_view(item) for item in found]

    until_ready(f"waiting for the pods in {namespace}", look, deadline_s=deadline_s)


def for_kinds(kube: Kube, namespace: str, *, deadline_s: float) -> None:
    """Wait until every Agent and VectorIndex in a namespace is Ready, with the documents of now.

    Raises DemoError past the deadline.
    """

    def look() -> list[ObjectSummary]:
        # One command for all three, since each takes CPU time from what is waited for.
        kinds = "configmaps,vectorindexes.slipway.dev,agents.slipway.dev"
        found = kube.items(kinds, f"--namespace={namespace}", "--show-managed-fields")
        by_kind = {
            kind: [item for item in found if item["kind"] == kind] for kind in ("ConfigMap", "VectorIndex", "Agent")
        }
        indexes = [index_view(item, by_kind["ConfigMap"]) for item in by_kind["VectorIndex"]]
        return indexes + [kind_view(item) for item in by_kind["Agent"]]

    until_ready(f"waiting for the index and the agent in {namespace}", look, deadline_s=deadline_s)


def until_ready(title: str, look: Callable[[], Sequence[ObjectSummary]], *, deadline_s: float) -> None:
    """Wait until there is something to see and all of it is ready. Raises DemoError past the deadline."""
    started = time.monotonic()
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    said: set[str] = set()
    views: Sequence[ObjectSummary] = ()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=None)
        while time.monotonic() - started < deadline_s:
            try:
                views = look()
            except DevclusterError as error:  # an API server that is busy for a moment
                views = (ObjectSummary("the cluster", ready=False, text=str(error).splitlines()[-1]),)
            progress.update(task, description="\n".join([title, *(_line(view) for view in views)]))
            if not console.is_terminal:
                _say_news(views, said)
            if views and all(view.ready for view in views):
                break
            time.sleep(POLL_S)
        else:
            waiting = "\n".join(_line(view) for view in views if not view.ready) or "  nothing was found"
            raise DemoError(f"{title}: not done after {deadline_s:.0f} s\n{waiting}")
    say(f"{title}: {time.monotonic() - started:.1f} s")


def _line(view: ObjectSummary) -> str:
    return f"  {'✓' if view.ready else '…'} {view.name}: {view.text}"


def _say_news(views: Sequence[ObjectSummary], said: set[str]) -> None:
    for view in views:
        line = _line(view)
        if line not in said:
            said.add(line)
            say(line)
