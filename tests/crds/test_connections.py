"""What the file behind a `connectionRef` may hold, and what a reader is told about one that cannot be used."""

import json
from typing import get_args

import pytest

from slipway_crds.indexes.connections import (
    MODELS,
    ChromaConnection,
    InvalidConnection,
    MongoConnection,
    PostgresConnection,
    SnowflakeConnection,
    VertexConnection,
    parse_connection,
)
from slipway_crds.runtimeconfig import BackendKind

SNOWFLAKE = {"account": "ORG-A", "user": "SLIPWAY", "token": "secret", "database": "d", "schema": "s", "warehouse": "w"}
KEY = {"type": "service_account", "client_email": "a@b", "private_key": "secret"}
VERTEX = {"project": "example-project", "location": "europe-west4"}


def test_every_kind_has_a_document() -> None:
    assert set(MODELS) == {*get_args(BackendKind), "postgres"}, "back ends, and stores of documents"


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("chroma", "https://chroma.example/\n", ChromaConnection(url="https://chroma.example")),
        (
            "chroma",
            '{"url": "http://chroma:8000", "header": "X-Chroma-Token", "token": "secret"}',
            ChromaConnection(url="http://chroma:8000", header="X-Chroma-Token", token="secret"),
        ),
        ("pgvector", "postgresql://u:secret@h/db", PostgresConnection(dsn="postgresql://u:secret@h/db")),
        ("cockroachdb", '{"dsn": "postgresql://u@h:26257/db"}', PostgresConnection(dsn="postgresql://u@h:26257/db")),
        (
            "mongodb",
            "mongodb+srv://u:secret@h/db?retryWrites=true",
            MongoConnection(uri="mongodb+srv://u:secret@h/db?retryWrites=true", database="db"),
        ),
        (
            "mongodb",
            '{"uri": "mongodb://h", "database": "db", "prefix": "one."}',
            MongoConnection(uri="mongodb://h", database="db", prefix="one."),
        ),
        ("vertex", json.dumps(VERTEX | {"credentials": KEY}), VertexConnection(**VERTEX, credentials=KEY)),
    ],
)
def test_a_document_is_read(kind: BackendKind, text: str, expected: object) -> None:
    assert parse_connection(kind, text) == expected


def test_names_of_snowflake_are_in_capitals_and_keys_in_camel_case() -> None:
    read = parse_connection("snowflake", json.dumps(SNOWFLAKE | {"targetLag": "5 minutes", "role": "writer"}))
    assert isinstance(read, SnowflakeConnection)
    assert (read.database, read.schema_, read.warehouse, read.role) == ("D", "S", "W", "WRITER")
    assert read.target_lag == "5 minutes"


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("chroma", "chroma:8000", "write one with the keys url, or the url alone"),
        ("chroma", "ftp://chroma", r"url: write http\(s\)://HOST:PORT"),
        ("chroma", '{"url": "http://h", "header": "a b"}', "header: write the name of an HTTP header"),
        ("pgvector", "mysql://u:secret@h/db", "dsn: write postgresql://"),
        ("pgvector", "postgresql://u:secret@h", "dsn: write postgresql://"),
        ("mongodb", "mongodb://u:secret@h", "name the database"),
        ("mongodb", '{"uri": "http://secret", "database": "d"}', "uri: write mongodb"),
        ("mongodb", '{"uri": "mongodb://h", "database": "d", "prefix": "$"}', "prefix: write at most 64 letters"),
        ("vertex", "", "write one with the keys project, location"),
        ("vertex", json.dumps(VERTEX | {"project": "123"}), "project: write the project's id"),
        ("vertex", json.dumps(VERTEX | {"location": "EU"}), "location: write a region"),
        ("vertex", json.dumps(VERTEX | {"credentials": {"type": "secret"}}), "credentials: paste the JSON key"),
        ("vertex", json.dumps(VERTEX | {"secret": 1, "colour": 1}), "colour is no key of it"),
        ("snowflake", json.dumps(SNOWFLAKE | {"privateKey": "secret"}), "write privateKey .* or token"),
        ("snowflake", json.dumps({"account": "a"}), "user is missing; .*warehouse is missing"),
        ("snowflake", json.dumps(SNOWFLAKE | {"schema": "a.b"}), "schema: write a name"),
        ("snowflake", json.dumps(SNOWFLAKE | {"targetLag": "5"}), "targetLag: write a number and a unit"),
        ("snowflake", json.dumps(SNOWFLAKE | {"protocol": "http"}), "protocol http is for a host on this machine"),
    ],
)
def test_what_is_wrong_is_named_without_the_value(kind: BackendKind, text: str, words: str) -> None:
    with pytest.raises(InvalidConnection, match=words) as raised:
        parse_connection(kind, text)
    assert "secret" not in str(raised.value).replace("secret is no key", "")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("pgvector", "postgresql://u:secret@h/db"),
        ("mongodb", "mongodb://u:secret@h/db"),
        ("snowflake", json.dumps(SNOWFLAKE)),
        ("chroma", '{"url": "http://h", "token": "secret"}'),
        ("vertex", json.dumps(VERTEX | {"credentials": KEY})),
    ],
)
def test_a_log_of_it_holds_no_secret(kind: BackendKind, text: str) -> None:
    assert "secret" not in repr(parse_connection(kind, text))
