"""The paths of documents that people upload."""

from slipway_crds.contract import DOCUMENTS_PATH
from slipway_runtime.gateway.endpoints.endpoint import Endpoint, answered_by
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.openapi import upload_paths
from slipway_runtime.gateway.uploads_path import UploadsPath


def endpoints(gateway: Gateway) -> list[Endpoint]:
    """The table."""
    uploads = answered_by(UploadsPath(gateway))
    document = DOCUMENTS_PATH + "/{document}"
    return [
        Endpoint("POST", DOCUMENTS_PATH, uploads, upload_paths.UPLOAD),
        Endpoint("GET", DOCUMENTS_PATH, uploads, upload_paths.LIST_UPLOADS),
        Endpoint("GET", document, uploads, upload_paths.READ_UPLOAD),
        Endpoint("DELETE", document, uploads, upload_paths.REMOVE_UPLOAD),
    ]
