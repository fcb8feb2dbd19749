"""What gateways and hosts know of uploads."""

from slipway_crds.contract import DOCUMENT_BYTES

FORM_BYTES = DOCUMENT_BYTES + 64 * 1024
"""Of the form that a document comes in."""
