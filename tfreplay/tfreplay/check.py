"""Formats, validates and tests every Terraform folder of a tree, two at a time, and sums up."""

import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tfreplay import verdicts
from tfreplay.replay import data_folder, replaying
from tfreplay.terraform import executable

AT_ONCE = 2

LIMITS = """\
What this does not prove: that a provider's own validators accept the values (formats, conflicts, enumerations), \
that a cloud would accept the plan, what needs `sensitive` (the bindings do not say), or that the version \
constraints can be met (replays are not checked for their version). Nothing was applied."""

_PASSED = re.compile(r"^(?:Success|Failure)! (\d+) passed, (\d+) failed", re.MULTILINE)


@dataclass(frozen=True)
class Result:
    """What came of one folder."""

    folder: Path
    step: str
    """The step that failed; empty if none did."""
    output: str
    """What terraform said about it."""
    passed: int
    """Test runs that passed."""
    before: bool = False
    """Whether they did so in an earlier check, since when nothing of the folder has changed."""


def folders(tree: Path) -> list[Path]:
    """Every folder below `tree` that holds a Terraform configuration."""
    found = {path.parent for path in tree.rglob("*.tf")}
    return sorted(folder for folder in found if not any(part.startswith(".") for part in folder.parts))


def check(tree: Path, report: Callable[[Result], None]) -> list[Result]:
    """Check everything below `tree`; `report` hears of each folder as it is finished.

    A folder that passed as it is now is not checked again (`verdicts`).

    Raises ReplayError when terraform or a schema cannot be had.
    """
    digests = {root: verdicts.digest(root) for root in folders(tree)}
    known = {root: runs for root, digest in digests.items() if (runs := verdicts.passed(digest)) is not None}
    results = [_formatted(tree), *(Result(root, "", "", runs, before=True) for root, runs in known.items())]
    for result in results:
        report(result)
    roots = [root for root in digests if root not in known]
    if not roots:
        return results
    with replaying(roots) as environment, ThreadPoolExecutor(AT_ONCE) as pool:
        waiting = [pool.submit(_checked, root, environment) for root in roots]
        for done in as_completed(waiting):
            result = done.result()
            results.append(result)
            report(result)
            if not result.step:
                verdicts.remember(digests[result.folder], result.passed)
    return results


def _formatted(tree: Path) -> Result:
    done = subprocess.run(
        [executable(), "fmt", "-check", "-recursive", "-diff", "-no-color", str(tree)],
        capture_output=True,
        text=True,
        check=False,
    )
    told = f"{done.stdout}{done.stderr}\nWrite it with: terraform fmt -recursive {tree}"
    return Result(tree, "fmt" if done.returncode else "", told, passed=0)


def _checked(root: Path, environment: dict[str, str]) -> Result:
    steps = [["init", "-backend=false", "-input=false"], ["validate"]]
    if any(root.glob("tests/*.tftest.hcl")) or any(root.glob("*.tftest.hcl")):
        steps.append(["test"])
    environment = {**environment, "TF_DATA_DIR": str(data_folder(root))}
    output = ""
    for step in steps:
        command = [executable(), f"-chdir={root}", *step, "-no-color"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        output = done.stdout + done.stderr
        if done.returncode:
            return Result(root, step[0], output, passed=0)
    passed = _PASSED.search(output)
    return Result(root, "", output, passed=int(passed[1]) if passed else 0)
