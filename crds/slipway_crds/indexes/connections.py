"""What the file behind `connectionRef` holds, for each kind of vector store that Slipway does not run itself.

It is a key of a Secret in the index's namespace: a JSON object, or the address alone where that is what people have
(`postgresql://...`, `mongodb+srv://.../database`, `https://...`). Only pods of the namespace read it. Errors name what
is wrong and what to write, and never repeat a value, which may be a password.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote, urlsplit

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

from slipway_crds.runtimeconfig import BackendKind

Hidden = Field(default=None, repr=False)
"""Of what must not be in a log."""
SNOWFLAKE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
POSTGRES_FORM = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=require"
MONGODB_FORM = "mongodb+srv://USER:PASSWORD@HOST/DATABASE"


class InvalidConnection(ValueError):
    """A connection document cannot be used; the text says which key, and what to write."""


class ConnectionModel(BaseModel):
    """Base of the documents: keys in camelCase, and strict about what it does not know."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, hide_input_in_errors=True
    )


class ChromaConnection(ConnectionModel):
    """A Chroma server that is somebody else's."""

    url: str
    """`http(s)://HOST:PORT`, without a path of the API."""
    header: str = "Authorization"
    """Name of the header that carries the token."""
    token: Annotated[str | None, Hidden]
    """Value of the header, with `Bearer ` before it where the server wants that. Chroma itself checks none."""

    @field_validator("url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("write http(s)://HOST:PORT")
        return value.rstrip("/")

    @field_validator("header")
    @classmethod
    def _is_header(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9-]+", value):
            raise ValueError("write the name of an HTTP header, such as X-Chroma-Token")
        return value


class PostgresConnection(ConnectionModel):
    """A Postgres with pgvector, or a CockroachDB, that is somebody else's."""

    dsn: Annotated[str, Field(repr=False)]

    @field_validator("dsn")
    @classmethod
    def _is_postgres(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("postgresql", "postgres") or not parts.path.strip("/"):
            raise ValueError(f"write {POSTGRES_FORM}")
        return value


class MongoConnection(ConnectionModel):
    """A database of a MongoDB with vector search: Atlas, or MongoDB 8.2 with mongot."""

    uri: Annotated[str, Field(repr=False)]
    """`mongodb://` or `mongodb+srv://`, as the driver takes it."""
    database: str = ""
    """Left out: the one that the URI names."""
    prefix: str = "slipway."
    """Beginning of the names of collections, so that several installations can share a database."""

    @field_validator("uri")
    @classmethod
    def _is_mongodb(cls, value: str) -> str:
        if not re.match(r"mongodb(\+srv)?://[^/?]", value):
            raise ValueError(f"write {MONGODB_FORM}")
        return value

    @field_validator("prefix")
    @classmethod
    def _begins_names(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}", value) or value.startswith("system."):
            raise ValueError("write at most 64 letters, digits, dots, hyphens and underscores, and not system.")
        return value

    @model_validator(mode="before")
    @classmethod
    def _takes_the_database_of_the_uri(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and not data.get("database") and isinstance(data.get("uri"), str):
            rest = data["uri"].partition("://")[2]
            return {**data, "database": unquote(rest.partition("/")[2].partition("?")[0])}
        return data

    @model_validator(mode="after")
    def _has_a_database(self) -> Self:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,63}", self.database):
            raise ValueError(f"name the database, as the key database or in the URI: {MONGODB_FORM}")
        return self


class VertexConnection(ConnectionModel):
    """Vertex AI Vector Search 2.0 in a project and region."""

    project: str
    location: str
    """Region, such as europe-west4."""
    endpoint: str | None = None
    """`HOST:PORT` in place of Google's public address: a Private Service Connect endpoint, for example."""
    credentials: Annotated[Mapping[str, Any] | None, Hidden]
    """A service account's key as Google gives it out; None: what the pod has (Workload Identity)."""

    @field_validator("project")
    @classmethod
    def _is_an_id(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", value):
            raise ValueError("write the project's id, 6 to 30 lower-case letters, digits and hyphens")
        return value

    @field_validator("location")
    @classmethod
    def _is_a_region(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z]+-[a-z]+[0-9]+", value):
            raise ValueError("write a region such as europe-west4")
        return value

    @field_validator("credentials")
    @classmethod
    def _is_a_key(cls, value: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        if value is not None and not {"type", "client_email", "private_key"} <= set(value):
            raise ValueError("paste the JSON key of a service account whole, or leave it out for Workload Identity")
        return value


class SnowflakeConnection(ConnectionModel):
    """A schema of a Snowflake account, in which Slipway makes a table and a Cortex Search service for each build."""

    account: str
    """`ORGANISATION-ACCOUNT`."""
    user: str
    private_key: Annotated[str | None, Hidden]
    """In PEM (PKCS #8), without a passphrase: key-pair authentication."""
    token: Annotated[str | None, Hidden]
    """A programmatic access token, in place of the private key."""
    database: str
    schema_: Annotated[str, Field(alias="schema")]
    warehouse: str
    """Which writes and keeps the services up to date."""
    role: str | None = None
    embedding_model: str = "snowflake-arctic-embed-m-v1.5"
    """With which Snowflake embeds texts and questions."""
    target_lag: str = "1 minute"
    """How old what is found may be. Shorter costs more."""
    host: str | None = None
    """In place of `ACCOUNT.snowflakecomputing.com`, such as a private link."""
    port: int = 443
    protocol: Literal["https", "http"] = "https"
    """http only for a stand-in on this machine."""

    @field_validator("database", "schema_", "warehouse", "role", "embedding_model")
    @classmethod
    def _needs_no_quotes(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9_.-]{1,255}", value):
            raise ValueError("write letters, digits and underscores")
        return value

    @field_validator("database", "schema_", "warehouse", "role")
    @classmethod
    def _is_in_capitals(cls, value: str | None) -> str | None:
        """Snowflake writes a name that is not quoted in capitals."""
        if value is not None and not SNOWFLAKE_NAME.fullmatch(value):
            raise ValueError("write a name of letters, digits and underscores, a letter first")
        return value and value.upper()

    @field_validator("target_lag")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        if not re.fullmatch(r"[1-9][0-9]* (second|minute|hour|day)s?", value):
            raise ValueError("write a number and a unit, such as 1 minute")
        return value

    @model_validator(mode="after")
    def _signs_in(self) -> Self:
        if (self.private_key is None) == (self.token is None):
            raise ValueError("write privateKey (a PEM key) or token (a programmatic access token), one of them")
        if self.protocol == "http" and self.host not in ("127.0.0.1", "localhost"):
            raise ValueError("protocol http is for a host on this machine; leave it out")
        return self


Connection = ChromaConnection | PostgresConnection | MongoConnection | VertexConnection | SnowflakeConnection
ConnectionKind = BackendKind | Literal["postgres"]
"""A kind of vector store, or of a store of documents."""
MODELS: Mapping[ConnectionKind, type[Connection]] = {
    "chroma": ChromaConnection,
    "pgvector": PostgresConnection,
    "postgres": PostgresConnection,
    "cockroachdb": PostgresConnection,
    "mongodb": MongoConnection,
    "vertex": VertexConnection,
    "snowflake": SnowflakeConnection,
}
ADDRESS_KEYS: Mapping[ConnectionKind, str] = {
    "chroma": "url",
    "pgvector": "dsn",
    "postgres": "dsn",
    "cockroachdb": "dsn",
    "mongodb": "uri",
}
"""The key that a document consists of which is the address alone."""


def parse_connection(kind: ConnectionKind, text: str) -> Connection:
    """Read the document behind a `connectionRef`.

    Args:
        kind: key of `spec.backend` or `spec.documents.store`, which says what the document has to hold.
        text: a JSON object, or the address alone for the kinds that have one.

    Raises:
        InvalidConnection: saying which key is wrong and what to write; it never holds a value.
    """
    model = MODELS[kind]
    try:
        return model.model_validate(_document(kind, text.strip()))
    except ValidationError as error:
        faults = "; ".join(_fault(fault["loc"], fault["type"], fault["msg"]) for fault in error.errors())
        raise InvalidConnection(f"the connection of a {kind} back end cannot be used: {faults}") from None


def _document(kind: ConnectionKind, text: str) -> dict[str, Any]:
    key = ADDRESS_KEYS.get(kind)
    if key is not None and "://" in text and not text.startswith("{"):
        return {key: text}
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        document = None
    if isinstance(document, dict):
        return document
    or_address = "" if key is None else f", or the {key} alone"
    needed = [name for name, field in MODELS[kind].model_fields.items() if field.is_required()]
    keys = ", ".join(MODELS[kind].model_fields[name].alias or to_camel(name) for name in needed)
    raise InvalidConnection(
        f"the connection of a {kind} back end is not a JSON object: write one with the keys {keys}{or_address}"
    )


def _fault(place: tuple[int | str, ...], type_: str, message: str) -> str:
    path = ".".join(map(str, place))
    if type_ == "missing":
        return f"{path} is missing"
    if type_ == "extra_forbidden":
        return f"{path} is no key of it"
    words = message.removeprefix("Value error, ")
    return f"{path}: {words}" if path else words
