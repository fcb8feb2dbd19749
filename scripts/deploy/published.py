"""What a release published, by digest: what `make publish-images` and `make publish-chart` wrote, in one file. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway_demo.errors import DemoError
from slipway_demo.images import IMAGES


@dataclass(frozen=True)
class Artefact:
    """One image, or the chart, in a registry."""

    image: str
    """Without tag."""
    tag: str
    digest: str

    @property
    def reference(self) -> str:
        """What is signed, verified and installed."""
        return f"{self.image}@{self.digest}"


@dataclass(frozen=True)
class Published:
    """A release."""

    images: Mapping[str, Artefact]
    chart: Artefact
    registry: str

    def values(self) -> dict[str, Any]:
        """The chart's values for these images. Tags are for people; where a digest follows, it is what is pulled."""
        tags = {name: f"{artefact.tag}@{artefact.digest}" for name, artefact in self.images.items()}
        return {"image": {"registry": self.registry, "tag": self.chart.tag, "tags": tags}}


def parse(text: str) -> Published:
    """Read the file. Raises DemoError where something that the chart installs is not in it, or not in one place."""
    try:
        found = {name: Artefact(**each) for name, each in json.loads(text).items()}
        images = {image.name: found[image.name] for image in IMAGES}
        chart = found["chart"]
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise DemoError(
            f"this is not what `make publish-images` and `make publish-chart` wrote, put together: {error!r}"
        ) from error
    registries = {artefact.image.removesuffix(f"/{name}") for name, artefact in images.items()}
    if len(registries) != 1:
        raise DemoError(f"the chart takes images of one registry, and these are of {', '.join(sorted(registries))}")
    return Published(images, chart, registries.pop())
