"""A release is installed by the digests that were published, and a file that lacks one is refused."""

import json
from typing import Any

import pytest

from scripts.deploy.published import Published, parse
from slipway_demo.errors import DemoError
from tests.deploy.conftest import DIGEST, text


def test_everything_is_named_by_digest(published: Published) -> None:
    assert published.chart.reference == f"registry.test/slipway/charts/slipway@{DIGEST}"
    assert published.values()["image"]["tags"]["runtime"] == f"0.2.0@{DIGEST}"


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "[]",
        json.dumps({**json.loads(text()), "chart": {"image": "a"}}),
        json.dumps({name: each for name, each in json.loads(text()).items() if name != "operator"}),
    ],
)
def test_a_file_in_which_something_is_missing_is_refused(broken: str) -> None:
    with pytest.raises(DemoError, match="put together"):
        parse(broken)


def test_images_of_two_registries_are_refused() -> None:
    mixed = json.loads(text()) | {"operator": json.loads(text("elsewhere.test"))["operator"]}
    with pytest.raises(DemoError, match=r"elsewhere\.test, registry\.test"):
        parse(json.dumps(mixed))


def test_the_chart_takes_digests_for_every_image(published: Published, rendered: list[dict[str, Any]]) -> None:
    workloads = [each for each in rendered if "template" in each.get("spec", {})]
    containers = [each for workload in workloads for each in workload["spec"]["template"]["spec"]["containers"]]
    settings = [variable for each in containers for variable in each.get("env", ())]
    named = {each["image"] for each in containers}
    named |= {each["value"] for each in settings if each["name"].endswith(("_RUNTIME_IMAGE", "_CHROMA_IMAGE"))}
    assert named == {f"registry.test/slipway/{name}:0.2.0@{DIGEST}" for name in published.images}
