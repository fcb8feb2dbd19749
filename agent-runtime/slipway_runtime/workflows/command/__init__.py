"""`slipway workflow`: runs of workflows from a terminal, through a gateway."""
