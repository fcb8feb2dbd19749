"""Every module's example, changed the way a user would: called twice, and with a name that is too long."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.terraform.conftest import TERRAFORM, Folder, inputs
from tests.terraform.test_layout import MODULES
from tfreplay.docs import variables

pytestmark = pytest.mark.terraform

CALL = re.compile(r'^module "(\w+)" \{\n  source\s*=\s*"\.\./\.\."\n.*?^\}$', re.MULTILINE | re.DOTALL)
NAME = re.compile(r'(^  name\s*=\s*")[^"]*"', re.MULTILINE)
NAMED = [module for module in MODULES if "name" in inputs(TERRAFORM / module)]


def example(module: Path) -> str:
    return (TERRAFORM / module / "examples" / "basic" / "main.tf").read_text()


def called(module: Path) -> re.Match[str]:
    """The call of the module itself in its example."""
    found = CALL.search(example(module))
    assert found, f"the example of {module} has to call ../.. first of all its arguments"
    return found


@pytest.fixture
def root(copied: Path, tmp_path: Path, replayed: dict[str, str]) -> Callable[[str, Path], Folder]:
    """Makes a root module from an example, next to it in the copy, and initialises it."""

    def make(configuration: str, module: Path) -> Folder:
        path = copied / module / "examples" / tmp_path.name
        shutil.copytree(TERRAFORM / module / "examples" / "basic", path)
        (path / "main.tf").write_text(configuration)
        asked = {f"TF_VAR_{each.name}": "example" for each in variables(path) if each.default is None}
        made = Folder(path, {**replayed, **asked, "TF_DATA_DIR": str(tmp_path / "data")})
        made.must("init", "-input=false")
        return made

    return make


def renamed(call: str, name: str) -> str:
    """The call with that name, whether it had one or not."""
    if not NAME.search(call):
        return call.replace('source = "../.."', f'source = "../.."\n  name   = "{name}"', 1)
    return NAME.sub(rf'\1{name}"', call, count=1)


def twice(module: Path) -> str:
    """The example with a second call of the module under another name."""
    call = called(module)
    default = next(each.default or "" for each in variables(TERRAFORM / module) if each.name == "name")
    name = "OTHERTWO" if default.strip('"').isupper() else "othertwo"  # Snowflake wants capitals
    again = renamed(call[0].replace(f'module "{call[1]}"', 'module "again"', 1), name)
    return f"{example(module)}\n{again}\n"


def created(plan: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Call, address within it and name of everything that is to be created with a known name."""
    for change in plan["resource_changes"]:
        after = change["change"]["after"] or {}
        call, _, address = change["address"].removeprefix("module.").partition(".")
        if change["mode"] == "managed" and isinstance(after.get("name"), str) and address:
            yield call, address, after["name"]


# Their names only count within something else: a database in a server, a record in a zone, a private zone (whose name
# Azure dictates) in a resource group, of which each installation has its own.
SCOPED = re.compile(
    r"google_(sql_(database|user)|dns_record_set|storage_bucket_object)"
    r"|azurerm_(subnet|private_dns_zone|key_vault_secret|postgresql_flexible_server_(database|configuration))"
    r"|azurerm_(dns_\w+_record|kubernetes_cluster_node_pool|federated_identity_credential|cdn_frontdoor_\w+)"
    r"|aws_(iam_role_policy|route53_record)|helm_release|kubernetes_\w+"
    r"|cockroach_(database|sql_user|allow_list)|mongodbatlas_\w+|snowflake_\w+"
)


@pytest.mark.parametrize("module", NAMED, ids=str)
def test_a_module_can_be_called_twice_in_one_root(root: Callable[[str, Path], Folder], module: Path) -> None:
    made = root(twice(module), module)
    made.must("plan", "-input=false", "-out=plan")
    call = called(module)[1]
    named = list(created(json.loads(made.must("show", "-json", "plan"))))
    first = {address: name for each, address, name in named if each == call}
    second = {address: name for each, address, name in named if each == "again"}
    same = {address for address, name in first.items() if name == second.get(address)}
    assert {address for address in same if not SCOPED.search(address)} == set()


@pytest.mark.parametrize("module", NAMED, ids=str)
def test_a_name_over_the_limit_is_refused_with_what_to_write(root: Callable[[str, Path], Folder], module: Path) -> None:
    call = called(module)[0]
    long = renamed(call, "n" * 300)
    done = root(example(module).replace(call, long), module).run("plan", "-input=false")
    assert done.returncode == 1
    assert "Invalid value for variable" in done.stderr
    assert re.search(r"at most \d+|\d+ to \d+|\d+ or fewer|up to \d+", " ".join(done.stderr.split()))
