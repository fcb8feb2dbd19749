"""The path of AG-UI."""

from slipway_crds import contract
from slipway_runtime.gateway.ag_ui import AgUi
from slipway_runtime.gateway.endpoints.endpoint import Endpoint, answered_by
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.openapi import ag_ui_paths


def endpoints(gateway: Gateway) -> list[Endpoint]:
    """The table."""
    return [Endpoint("POST", contract.AGENT_PATH + "/ag-ui", answered_by(AgUi(gateway)), ag_ui_paths.RUN_AGENT)]
