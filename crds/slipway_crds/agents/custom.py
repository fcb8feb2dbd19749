"""An Agent whose code is its user's."""

from typing import Annotated

from pydantic import Field

from slipway_crds.fields import ENTRY_POINT_PATTERN, IMAGE_PATTERN, SpecModel, ignored, same


class Custom(SpecModel):
    """Code that the host imports and runs as the agent."""

    entry_point: Annotated[
        str,
        Field(min_length=3, max_length=256, pattern=ENTRY_POINT_PATTERN),
        same("Imported from the folder of the manifests, or from PYTHONPATH."),
    ]
    """What makes the agent, as `package.module:factory`. The factory is given the agent's configuration and what agents
    are made of, and returns the agent."""
    image: Annotated[
        str | None,
        Field(min_length=1, max_length=512, pattern=IMAGE_PATTERN),
        ignored("The code is imported from the folder of the manifests, or from PYTHONPATH."),
    ] = None
    """An image that is built on Slipway's runtime image of the installation's version, in which the code can be
    imported. The runtime image itself if not given, which has no code of yours."""
