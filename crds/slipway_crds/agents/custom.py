"""An Agent whose code is its user's."""

from typing import Annotated

from pydantic import Field

from slipway_crds import contract
from slipway_crds.fields import ENTRY_POINT_PATTERN, IMAGE_PATTERN, Rule, SpecModel, emulated, ignored, same
from slipway_crds.rules import exactly_one, only_with

TAKEN = (contract.HTTP_PORT, contract.METRICS_PORT, contract.TLS_PORT)
"""Ports of the host, which shares the pod's addresses."""
PORT_IS_FREE = Rule(
    cel=f"!has(self.port) || !(self.port in [{', '.join(map(str, TAKEN))}])",
    message=f"must not be {' or '.join(map(str, TAKEN))}, which the host in the same pod has",
    holds=lambda value: value.get("port") not in TAKEN,
    field="port",
)


class Custom(SpecModel):
    """Code that the host imports and runs as the agent, or a program in a container of its own."""

    rules = (
        exactly_one(["entryPoint", "port"]),
        only_with("port", "image", "needs image, in which the program is"),
        PORT_IS_FREE,
    )
    entry_point: Annotated[
        str | None,
        Field(min_length=3, max_length=256, pattern=ENTRY_POINT_PATTERN),
        same("Imported from the folder of the manifests, or from PYTHONPATH."),
    ] = None
    """What makes the agent, as `package.module:factory`. The factory is given the agent's configuration and what agents
    are made of, and returns the agent."""
    port: Annotated[
        int | None,
        Field(ge=1024, le=65535),
        emulated("No container is started: run your program at this port, where it is asked."),
    ] = None
    """Where the program of `image` speaks A2A 1.0. It runs in a second container of the agent's pod, and the host asks
    it on localhost. The program gets the port as the environment variable `PORT`."""
    image: Annotated[
        str | None,
        Field(min_length=1, max_length=512, pattern=IMAGE_PATTERN),
        ignored("No image is pulled: code is imported, and a program is asked at its port."),
    ] = None
    """With `entryPoint`: an image that is built on Slipway's runtime image of the installation's version, in which the
    code can be imported; the runtime image itself if not given, which has no code of yours. With `port`: any image
    whose program serves there."""
