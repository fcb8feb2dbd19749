"""What the operator and the runtime must agree on in addition to RuntimeConfig: names, paths, ports."""

import base64
import hashlib

HTTP_PORT = 8080
"""Of hosts and of ingestions."""
HTTP_PORT_NAME = "http"
"""Of a pod's port and of an end point's."""
TLS_PORT = 8443
TLS_PORT_NAME = "https"
"""Where TLS is spoken: by gateways, and by hosts and connectors where the installation has it."""
METRICS_PORT = 8081
CHROMA_PORT = 8000
HOST_COMMAND = "host"
INGEST_COMMAND = "ingest"
CONNECTOR_COMMAND = "connector"
VERIFY_COMMAND = "verify-image"
WORKER_COMMAND = "worker"
"""Commands of the runtime's image."""
LIVEZ = "/livez"
READYZ = "/readyz"
MISSING = "missing"
WARNINGS = "warnings"
PLUGIN_WARNINGS = "plugins"
ANSWER_WARNINGS = "answers"
"""Keys of its JSON: sentences about what keeps a pod from being ready, and about models, plugins and topics for answers
that do not."""
DOCUMENT_BYTES = 20 * 1024 * 1024
"""Of one document of an index, at most."""
PROGRESS = "/progress"
PROGRESS_TEXT = "text"
"""Key of its JSON, which says how far an ingestion is."""
AGENT_PATH = "/agents/{namespace}/{name}"
"""Where gateways and hosts serve an agent."""
PLUGIN_PATH = "/plugins/{namespace}/{name}/mcp"
"""Where gateways serve a plugin's tools."""
PLUGIN_HTTP_PATH = "/plugins/{namespace}/{name}/{rest:path}"
"""Where they serve a plugin's end points of HTTP."""
PLUGINS_STATUS_PATH = "/plugins"
"""Of a gateway's metrics port: before `/namespace/name`, what it found out of the server of a plugin, as JSON."""
CONNECTOR_MCP_PATH = "/mcp"
CONNECTOR_HTTP_PATH = "/http"
"""Before the end points of HTTP that a plugin has."""
CONNECTOR_STATUS_PATH = "/status"
"""Of a plugin's connector: what the gateway calls, and what it found out of the server."""
DOCUMENTS_PATH = "/indexes/{namespace}/{index}/documents"
"""Where gateways take documents for an index. Hosts have the same below the path of an agent that reads it."""
UPLOADS = "uploads"
"""The source of those documents, as citations have it."""
WORKFLOW_PATH = "/workflows/{namespace}/{name}"
"""Where gateways and workers serve a workflow."""
WORKER_STATUS_PATH = "/status"
"""Of a worker: before `/name`, how a workflow's runs do, and how the worker does, as JSON."""
GATEWAY_STATUS_URL = "http://slipway-gateway-status.slipway-system.svc.cluster.local:8081"
"""Where gateways of the same release report to the operator."""
GATEWAY_URL = "http://slipway-gateway.slipway-system.svc.cluster.local"
"""The gateway of a release that is named `slipway` and installed in `slipway-system`."""
CONFIG_DIR = "/etc/slipway/config"
"""Where a pod has what it is started with, under `CONFIG_KEY`."""
CONFIG_KEY = "config.json"
BINDINGS_DIR = "/etc/slipway/bindings"
"""Where a host has its `Bindings`, under `BINDINGS_KEY`."""
BINDINGS_KEY = "bindings.json"
IDENTITY_DIR = "/etc/slipway/identity"
"""Where a host has the list of keys that gateways sign with."""
HOST_TLS_DIR = "/etc/slipway/host-tls"
"""Where a host or a connector has its certificate."""
HOST_TLS_SECRET = "slipway-host-tls"
"""Where the operator makes the certificates: a Secret of each namespace with hosts or connectors."""
HOST_AUTHORITIES = "slipway-host-authorities"
"""The ConfigMap of the release's namespace by which gateways check these, where the operator makes them."""
AUTHORITIES_KEY = "ca.crt"
MODEL_KEYS_DIR = "/etc/slipway/model-keys"
"""Where a host has a folder for each model, with its key in `MODEL_KEY_FILE` and its server's authorities in
`MODEL_CA_FILE`."""
WEB_SEARCH_FOLDER = "web_search"
"""Of the key of `spec.webSearch` in the same place. No model has this name."""
ANSWERS_FOLDER = "answers_to"
"""Of the password and the authorities of the brokers in `spec.answersTo`, likewise."""
MODEL_KEY_FILE = "key"
MODEL_CA_FILE = "ca.crt"
SESSION_REDIS_DIR = "/etc/slipway/session-redis"
"""Where a host has the password of the Redis with its sessions in `REDIS_PASSWORD_FILE`, and its authorities in
`REDIS_CA_FILE`."""
REDIS_PASSWORD_FILE = "password"
REDIS_CA_FILE = "ca.crt"
AGENT_PLUGINS_DIR = "/etc/slipway/plugins"
"""Where a host has a folder for each entry of `spec.plugins`, with the files of its Plugin."""
STORE_DIR = "/etc/slipway/store"
"""Where a pod has its DSN, under `STORE_KEY`."""
STORE_KEY = "dsn"
KAFKA_DIR = "/etc/slipway/kafka"
"""Where a worker has passwords and certificates of topics, each topic's in its `topic_folder`."""
WORKFLOWS_DIR = "/etc/slipway/workflows"
"""Where a worker has each Workflow of its namespace as `NAME.json`, with `metadata` and `spec`. Read again when it
changes."""
INTERPRETER_LABEL = "slipway.dev/interpreter"
"""On a worker's pod: number of its interpreter."""
WORKER_KEY_DIR = "/etc/slipway/worker"
"""Where a worker has the key that it proves itself to gateways with, under `WORKER_KEY`."""
WORKER_KEY = "key"
NEEDS_ATTENTION = "NeedsAttention"
UNKNOWN_OUTCOME = "UnknownOutcome"
"""Reasons of a run that waits until a person has settled a step, and of what nobody knows what it did."""
INTERPRETER = 1
"""Number of the interpreter of workflows, counted up when it would replay a run of the one before in another order."""
CONNECTIONS_DIR = "/etc/slipway/connections"
"""Where a pod has what it connects to vectors with: see `connection_file`. Read again when it changes."""
SENTENCE_MODELS_DIR = "/sentence-models"
"""Where a pod has a folder for each index with a model in files, and in it one for each place of such a model."""
SOURCES_DIR = "/sources"
"""Where an ingestion has a folder for each source."""
SOURCE_FILES_DIR = "/etc/slipway/sources"
"""Where an ingestion has a folder for each source with a server, with what it is signed in to with in
`SOURCE_CREDENTIALS_FILE`, and its authorities in `SOURCE_CA_FILE`."""
ACCEPTANCE_DIR = "/etc/slipway/acceptance"
"""Where an ingestion has the ConfigMap with the questions that a build has to find documents for."""
SOURCE_CREDENTIALS_FILE = "credentials"
SOURCE_CA_FILE = "ca.crt"
SOURCE_HEADER_PREFIX = "header."
"""Before the name of a header, in the name of the file with its value."""
STORE_SECRET_PREFIX = "slipway-store-"
"""Names of the Secrets with which pods sign in to the store."""

NO_DOCUMENTS = "NoDocuments"
INGESTION_FAILED = "IngestionFailed"
SOURCE_UNAVAILABLE = "SourceUnavailable"
REVISION_NOT_KEPT = "RevisionNotKept"
"""Reasons of a failed ingestion, with which its termination message begins."""
NOT_ACCEPTED = "NotAccepted"
"""Reason of an ingestion whose build agents do not read."""
FORBIDDEN_ADDRESS = "ForbiddenAddress"
UNSUPPORTED_VERSION = "UnsupportedVersion"
SERVER_FAILED = "ServerFailed"
"""Reasons of a plugin whose server only an edit makes right, and of one that fails for no reason that is known."""
DIGEST_MISMATCH = "DigestMismatch"
SIGNATURE_INVALID = "SignatureInvalid"
KEY_EXPIRED = "KeyExpired"
KEY_INVALID = "KeyInvalid"
INVALID_DOCUMENT = "InvalidDocument"
"""Reasons of a plugin whose file is not trusted, or cannot be used."""
PLUGIN_FAILED = "PluginFailed"
"""Reason of a plugin whose code is not loaded or fails, of agents that have it, and of answers that need it."""
INDEX_LOST = "IndexLost"
"""Reason of an index whose server has fewer vectors than were made, and of the agents that read it."""
CHROMA_COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"
"""Path of the collections on a Chroma server."""
INDEX_TABLES = (
    "chunks", "documents", "former_builds", "index_locks", "index_pointers", "ingestion_shards", "pending_chunks",
    "sharded_ingestions", "unsettled_documents", "uploads",
)  # fmt: skip
"""Tables of the store with rows of indexes, which a column `index_name` names as `namespace/name`."""

WORKER = "slipway-worker"
"""Name of the Service in front of a namespace's workers, and of what its workers share."""
WORKER_KEY_LABEL = "slipway.dev/worker-key"
"""On that Service, which hands it on to its EndpointSlices: `key_fingerprint` of the key of the namespace's workers."""

FORMER_KEY_LABEL = f"{WORKER_KEY_LABEL}-former"
"""In the same place, that of the key before, while workers have it."""


def worker_deployment(interpreter: int) -> str:
    """Name of the Deployment of the workers with an interpreter."""
    return f"{WORKER}-{interpreter}"


def engine_schema(schema: str) -> str:
    """Schema of the engine of workflows, by the schema of the namespace."""
    return f"{schema}_wf"


def key_fingerprint(key: str) -> str:
    """Whole SHA-256 of a key as a label can hold it: 52 letters and digits."""
    return base64.b32encode(hashlib.sha256(key.encode()).digest()).decode().rstrip("=").lower()


def revision_name(agent: str, digest: str) -> str:
    """Name of an agent's revision, by the digest of its RuntimeConfig: the same content has the same name."""
    return f"{agent}-{digest}"


def index_server(index: str) -> str:
    """Name of an index's server, which is a Service of the index's namespace."""
    return f"{index}-index"


CHROMA_URL = f"http://{index_server('{index}')}:{CHROMA_PORT}"
"""Where an index's Chroma is; `{index}` is replaced by the index's name."""


def connection_file(index: str, secret: str, key: str) -> str:
    """Name of the file with an index's connection, below `CONNECTIONS_DIR`. It has the Secret's name, since another
    Secret may lead to another server, which has to be filled anew."""
    return f"{index}/{secret}/{key}"


def collection_name(index: str, revision: str) -> str:
    """The collection of a build; `index` is `namespace/name`."""
    return f"{index.replace('/', '.')}.{revision}"


def connector_name(plugin: str) -> str:
    """Name of a plugin's connector, which is a Service of the plugin's namespace."""
    return f"{plugin}-connector"


def metrics_service(plugin: str) -> str:
    """Name of the Service by which a plugin finds the pods of its namespace's agents."""
    return f"{connector_name(plugin)}-metrics"


def host_server_name(namespace: str) -> str:
    """The name by which gateways check the certificate of a namespace's hosts, which are called by their addresses. A
    certificate is for `*.NAMESPACE.svc`, so that it is one of the namespace's connectors too."""
    return f"host.{namespace}.svc"
