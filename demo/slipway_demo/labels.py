"""Labels that say where an image comes from: version, revision and source.

They are no part of what a tag is made of (`images.tag`): a commit that changes nothing in an image must not build it
again. So on a machine that keeps its images, they name the commit from which this content was first built; a release
builds on a machine without images, and there they name the release's commit. docs/decisions/0010 has the reasons.
"""

import subprocess
from collections.abc import Mapping

import yaml

from slipway_demo import paths

PREFIX = "org.opencontainers.image."
SOURCE_VARIABLE = "IMAGE_SOURCE"
"""Environment variable with the repository's public address. Never git's remote: that may have a password in it."""


def of_build(environment: Mapping[str, str]) -> dict[str, str]:
    """The labels for an image that is built now."""
    chart = yaml.safe_load((paths.CHART / "Chart.yaml").read_text())
    said = {"version": str(chart["appVersion"]), "revision": revision(), "source": environment.get(SOURCE_VARIABLE, "")}
    return {PREFIX + name: value for name, value in said.items() if value}


def revision() -> str:
    """The commit of the working copy, with `-dirty` where files differ from it; empty where there is no git."""
    command = ["git", "-C", str(paths.ROOT), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
