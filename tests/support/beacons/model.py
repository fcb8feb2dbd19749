"""The kind `Beacon`: shows in a ConfigMap whether an index is ready."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from slipway_crds.fields import BY_TYPE, Name, SpecModel, StatusModel, same
from slipway_crds.meta import AGE_COLUMN, READY_COLUMNS, Condition, CustomObject, Phase


class BeaconSpec(SpecModel):
    """What a test writes."""

    local = same("Nothing but tests has it.")

    index: Name
    """The VectorIndex that it shows."""
    colour: Literal["red", "green"] = "green"
    """Names the ConfigMap."""


class BeaconStatus(StatusModel):
    """What the operator reports."""

    observed_generation: int = -1
    """Generation of the spec that this status is about; -1 before the first look."""
    phase: Phase | None = None
    """The conditions in one word."""
    conditions: Annotated[list[Condition] | None, Field(max_length=16), BY_TYPE] = None
    """Ready always."""


class Beacon(CustomObject):
    """Shows in a ConfigMap whether an index is ready."""

    kind: Literal["Beacon"] = "Beacon"
    spec: BeaconSpec
    """What is needed."""
    status: BeaconStatus = BeaconStatus()
    """What the operator reports."""

    PLURAL: ClassVar[str] = "beacons"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("bcn",)
    PRINTER_COLUMNS: ClassVar[tuple[dict[str, Any], ...]] = (*READY_COLUMNS, AGE_COLUMN)
