"""actionlint over .github, built once from its Go module into the cache.

    scripts/actionlint.py --shellcheck PROGRAM

shellcheck reads the steps' scripts; without it actionlint would skip them without a word, so it is asked for. Of our
own actions actionlint reads nothing, so their scripts are given to shellcheck here.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from devcluster import binaries
from devcluster.recipes import Recipe

ROOT = Path(__file__).parents[1]
ACTIONLINT = Recipe(name="actionlint", version="1.7.12", package="github.com/rhysd/actionlint/cmd/actionlint")


def lint(root: Path, *, shellcheck: Path) -> int:
    """actionlint's exit status for the workflows of a repository; what it found is on standard output."""
    files = sorted((root / ".github" / "workflows").glob("*.y*ml"))
    command = [str(binaries.ensure(ACTIONLINT)), f"-shellcheck={shellcheck}", "-no-color", *map(str, files)]
    workflows = subprocess.run(command, cwd=root, check=False).returncode
    actions = sorted((root / ".github" / "actions").glob("*/action.y*ml"))
    return max([workflows, *(lint_action(path, shellcheck=shellcheck) for path in actions)])


def lint_action(path: Path, *, shellcheck: Path) -> int:
    """shellcheck's exit status for the scripts of one action; what it found is on standard output, after the step."""
    worst = 0
    for number, step in enumerate(yaml.safe_load(path.read_text())["runs"]["steps"], start=1):
        if "run" in step:
            shell = [str(shellcheck), f"--shell={step['shell']}", "--color=never", "-"]
            done = subprocess.run(shell, input=step["run"], capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{path.parent.name}/{path.name}, step {number}:\n{done.stdout}{done.stderr}")
            worst = max(worst, done.returncode)
    return worst


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shellcheck", type=Path, required=True, help="the shellcheck program")
    shellcheck: Path = parser.parse_args(arguments).shellcheck
    if not shellcheck.is_file():
        print(f"{shellcheck} is missing: run `make lint-delivery`, which installs it", file=sys.stderr)
        return 2
    return lint(ROOT, shellcheck=shellcheck.absolute())


if __name__ == "__main__":
    sys.exit(main())
