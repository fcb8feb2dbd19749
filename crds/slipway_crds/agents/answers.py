"""Where an Agent's answers are written to besides its callers."""

from slipway_crds.fields import SpecModel, same
from slipway_crds.kafka import KafkaTopic


class AnswersTo(SpecModel):
    """Where answers are written to, besides those who asked."""

    local = same("The same answers are written.")

    kafka: KafkaTopic
    """A topic that gets each answer at least once, with the run's id as key. The brokers' ports are open to the
    agent's pods."""
