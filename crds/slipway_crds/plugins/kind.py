"""The row of the kind `Plugin`."""

from slipway_crds.meta import PLUGIN_LABEL
from slipway_crds.owners import OwnerKind
from slipway_crds.plugins.model import Plugin

PLUGIN = OwnerKind(model=Plugin, label=PLUGIN_LABEL, serves=True)
