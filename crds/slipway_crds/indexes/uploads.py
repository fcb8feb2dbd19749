"""Documents that people put into an index themselves, through the gateway."""

from slipway_crds.access import WITH_KEYS, Groups
from slipway_crds.fields import SpecModel


class Uploads(SpecModel):
    """Who may upload documents, see which there are, and remove them."""

    local = WITH_KEYS

    groups: Groups | None = None
    """Groups whose members may; every caller whom the gateway knows if not given. For others there is no such path."""
