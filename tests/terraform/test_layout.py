"""What a reader of terraform/ may rely on in every module, and that no two environments share a state."""

from pathlib import Path

import hcl2
import pytest

from tests.terraform.conftest import TERRAFORM
from tfreplay.docs import BEGIN, blocks

ENVIRONMENTS = ("dev", "staging", "prod")
STACKS = sorted(path.name for path in (TERRAFORM / "stacks").iterdir() if path.is_dir())
MODULES = sorted(path.parent.relative_to(TERRAFORM) for path in (TERRAFORM / "modules").rglob("versions.tf"))
MODULES = [module for module in MODULES if "examples" not in module.parts and "tests" not in module.parts]

pytestmark = pytest.mark.terraform


def settings(path: Path) -> dict[str, str]:
    """What a file of values sets."""
    return {key: str(value).strip('"') for key, value in hcl2.loads(path.read_text()).items()}


def place(backend: dict[str, str]) -> tuple[str, ...]:
    """Where a back end keeps its state."""
    return tuple(
        backend.get(key, "").strip("/") for key in ("storage_account_name", "container_name", "bucket", "prefix", "key")
    )


def collisions(backends: dict[str, dict[str, str]]) -> list[tuple[str, str]]:
    """Pairs of environments that would overwrite each other's state."""
    seen: dict[tuple[str, ...], str] = {}
    return [(seen[place(each)], name) for name, each in backends.items() if seen.setdefault(place(each), name) != name]


def test_every_environment_has_every_stack() -> None:
    expected = {f"{name}.{kind}" for name in STACKS for kind in ("tfvars", "tfbackend")}
    for environment in ENVIRONMENTS:
        assert {path.name for path in (TERRAFORM / "envs" / environment).iterdir()} == expected


def test_no_two_environments_share_one_state() -> None:
    backends = {str(path.relative_to(TERRAFORM)): settings(path) for path in (TERRAFORM / "envs").rglob("*.tfbackend")}
    assert len(backends) == len(ENVIRONMENTS) * len(STACKS)
    assert collisions(backends) == []


def test_a_shared_state_would_be_noticed() -> None:
    dev = {"bucket": "states", "key": "slipway.tfstate", "region": "eu-central-1"}
    assert collisions({"dev": dev, "prod": dev | {"region": "eu-west-1"}}) == [("dev", "prod")]


def test_a_comment_or_a_slash_does_not_make_a_place_of_its_own(tmp_path: Path) -> None:
    spellings = ('prefix = "stacks/gcp"', 'prefix = "stacks/gcp/"  # prod')
    backends = {}
    for number, line in enumerate(spellings):
        path = tmp_path / f"{number}.tfbackend"
        path.write_text(f'bucket = "states"\n{line}\n')
        backends[path.stem] = settings(path)
    assert collisions(backends) == [("0", "1")]


@pytest.mark.parametrize("path", sorted((TERRAFORM / "envs").rglob("*.tfbackend")), ids=lambda path: path.parent.name)
def test_an_s3_state_is_locked_by_a_file(path: Path) -> None:
    """GCS and Azure lock by themselves; S3 only does when told."""
    backend = settings(path)
    if "encrypt" in backend or path.stem in ("aws", "two-clouds"):
        assert backend["use_lockfile"] == "True"
    else:
        assert {"prefix", "container_name"} & set(backend)


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_leaves_its_back_end_to_the_environment(stack: str) -> None:
    texts = [path.read_text() for path in (TERRAFORM / "stacks" / stack).glob("*.tf")]
    assert any(f'backend "{kind}" {{}}' in text for text in texts for kind in ("gcs", "s3", "azurerm"))


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_is_complete(module: Path) -> None:
    folder = TERRAFORM / module
    for name in ("main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md", "examples/basic/main.tf"):
        assert (folder / name).is_file(), f"{module} lacks {name}"
    assert list(folder.glob("tests/*.tftest.hcl")), f"{module} has no test"
    assert BEGIN in (folder / "README.md").read_text(), f"{module}/README.md has no place for the table of inputs"


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_every_bad_input_has_a_test(module: Path) -> None:
    """Each variable with a `validation` is in an `expect_failures` of the module's tests."""
    folder = TERRAFORM / module
    validated = {name for name, body in blocks(folder, "variable") if "validation" in body}
    tests = "\n".join(path.read_text() for path in folder.glob("tests/*.tftest.hcl"))
    assert {name for name in validated if f"var.{name}" not in tests} == set()


@pytest.mark.parametrize("module", [*MODULES, *(Path("stacks") / name for name in STACKS)], ids=str)
def test_every_input_and_output_is_described(module: Path) -> None:
    folder = TERRAFORM / module
    inputs, outputs = blocks(folder, "variable"), blocks(folder, "output")
    assert {name for name, body in [*inputs, *outputs] if not body.get("description")} == set()
    assert {name for name, body in inputs if "type" not in body} == set()


def unexplained(text: str) -> list[str]:
    """Lines that silence a scanner without a reason: checkov's on the line, trivy's in a comment above."""
    above = ""
    found = []
    for line in (line.strip() for line in text.splitlines()):
        if "trivy:ignore:" in line:
            found += [] if above.startswith("#") else [line]
            continue
        if "checkov:skip=" in line and len(line.partition("checkov:skip=")[2].partition(":")[2].split()) < 3:
            found.append(line)
        above = line
    return found


def test_every_silenced_finding_has_its_reason() -> None:
    texts = {path: path.read_text() for path in TERRAFORM.rglob("*.tf") if ".terraform" not in path.parts}
    assert {str(path): unexplained(text) for path, text in texts.items() if unexplained(text)} == {}


@pytest.mark.parametrize("text", ["#checkov:skip=CKV_1", "#checkov:skip=CKV_1: later", "}\n#trivy:ignore:AWS-1\nx"])
def test_a_finding_silenced_without_a_reason_would_be_noticed(text: str) -> None:
    assert unexplained(text)
