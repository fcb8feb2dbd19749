"""Where a service is stands in lists that age, so each has a source and a date, and no list has the last word."""

from datetime import date
from pathlib import Path

import pytest
import yaml

from tests.terraform.conftest import TERRAFORM, inputs
from tests.terraform.test_layout import MODULES
from tfreplay.docs import variables

pytestmark = pytest.mark.terraform

LISTS = {
    f"{path.parent.name}/{service}": entry
    for path in sorted((TERRAFORM / "modules").glob("*/regions.yaml"))
    for service, entry in yaml.safe_load(path.read_text()).items()
}
REGION_INPUTS = {"region", "regions", "location", "private_link_location"}
TAKING = [module for module in MODULES if REGION_INPUTS & inputs(TERRAFORM / module)]


@pytest.mark.parametrize("name", LISTS)
def test_a_list_tells_its_service_its_source_and_its_date(name: str) -> None:
    entry = LISTS[name]
    assert set(entry) == {"service", "source", "date", "names"}
    assert entry["service"]
    assert entry["source"]
    assert date.fromisoformat(entry["date"]).year >= 2025
    by_cloud = entry["names"].values() if isinstance(entry["names"], dict) else [entry["names"]]
    assert all(names and len(set(names)) == len(names) for names in by_cloud)


@pytest.mark.parametrize("module", TAKING, ids=str)
def test_a_region_is_compared_with_a_list_unless_told_otherwise(module: Path) -> None:
    folder = TERRAFORM / module
    check = next(each for each in variables(folder) if each.name == "region_check")
    assert check.default == "true"
    listed = next(line for line in (folder / "regions.tf").read_text().splitlines() if "yamldecode" in line)
    assert any(f'"{name.partition("/")[2]}"' in listed for name in LISTS if name.startswith(f"{module.parts[1]}/"))
