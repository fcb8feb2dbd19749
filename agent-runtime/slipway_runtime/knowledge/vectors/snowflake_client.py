"""Snowflake's own clients, the connector and `snowflake.core`, with the contract's errors. They block."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from slipway_crds.indexes.connections import SnowflakeConnection
from slipway_runtime.knowledge.vectors.contract import CollectionMissing, VectorsRefused, VectorsUnavailable

LOGIN_SECONDS = 20
NETWORK_SECONDS = 60
NO_SUCH_OBJECT = 2003
NOT_AUTHORIZED = (3001, 250001, 394400)
REFUSED = (
    "Snowflake refused the user, key or token of the connection, or its role may not do this: correct the Secret of its"
    " connectionRef, or grant the role what docs/vector-back-ends.md lists"
)


class SnowflakeSession:
    """One connection, made when it is first used and again after it failed. Statements run one at a time."""

    def __init__(self, connection: SnowflakeConnection) -> None:
        self._given = connection
        self._lock = threading.Lock()
        self._open: Any = None

    def rows(self, sql: str, values: Sequence[Any]) -> list[Any]:
        """The rows of a statement.

        Raises:
            CollectionMissing: if a table is not there.
            VectorsUnavailable: if Snowflake cannot be reached, or refuses.
        """
        with self._lock, self._errors():
            cursor = self._connected().cursor()
            return list(cursor.execute(sql, tuple(values) or None).fetchall())

    def describe(self, service: str) -> Mapping[str, Any]:
        """What Snowflake knows of a search service, by its name in lower case."""
        with self._lock, self._errors():
            cursor = self._connected().cursor()
            row = cursor.execute(f"DESCRIBE CORTEX SEARCH SERVICE {service}").fetchone()
            names = [str(column.name).lower() for column in cursor.description]
        return dict(zip(names, row or (), strict=False))

    def search(self, service: str, text: str, *, limit: int, clause: dict[str, Any] | None) -> list[dict[str, Any]]:
        """The rows that a search service finds, best first."""
        from snowflake.core import Root

        with self._errors():
            with self._lock:
                root = Root(self._connected())
            schema = root.databases[self._given.database].schemas[self._given.schema_]
            found = schema.cortex_search_services[service].search(text, ["ID"], clause, limit)
            return list(found.results)

    def close(self) -> None:
        """Sign out."""
        with self._lock:
            opened, self._open = self._open, None
            if opened is not None:
                opened.close()

    def _connected(self) -> Any:
        if self._open is None:
            import snowflake.connector

            self._open = snowflake.connector.connect(**connect_arguments(self._given))
        return self._open

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """The clients' exceptions as the contract's. A connection that failed is made again."""
        from snowflake.connector import errors
        from snowflake.core import exceptions
        from urllib3.exceptions import HTTPError

        try:
            yield
        except errors.ProgrammingError as error:
            if error.errno == NO_SUCH_OBJECT:
                raise CollectionMissing(_short(error)) from error
            refused = REFUSED if error.errno in NOT_AUTHORIZED else f"Snowflake answered: {_short(error)}"
            raise VectorsRefused(refused) from error
        except errors.Error as error:
            self._open = None
            if error.errno in NOT_AUTHORIZED and not isinstance(error, errors.OperationalError):
                raise VectorsRefused(REFUSED) from error
            raise VectorsUnavailable(f"Snowflake cannot be reached: {_short(error)}") from error
        except exceptions.NotFoundError as error:
            raise CollectionMissing(_short(error)) from error
        except (exceptions.UnauthorizedError, exceptions.ForbiddenError) as error:
            self._open = None
            raise VectorsRefused(REFUSED) from error
        except exceptions.SnowflakePythonError as error:
            raise VectorsUnavailable(f"Snowflake cannot search: {_short(error)}") from error
        except (HTTPError, OSError) as error:
            self._open = None
            raise VectorsUnavailable(f"Snowflake cannot be reached: {_short(error)}") from error


def connect_arguments(given: SnowflakeConnection) -> dict[str, Any]:
    """What the connector is called with.

    Raises:
        VectorsRefused: if the private key cannot be read.
    """
    arguments: dict[str, Any] = {
        "account": given.account,
        "user": given.user,
        "database": given.database,
        "schema": given.schema_,
        "warehouse": given.warehouse,
        "role": given.role,
        "host": given.host,
        "port": given.port,
        "protocol": given.protocol,
        "application": "slipway",
        "login_timeout": LOGIN_SECONDS,
        "network_timeout": NETWORK_SECONDS,
    }
    if given.token is not None:
        arguments |= {"authenticator": "PROGRAMMATIC_ACCESS_TOKEN", "token": given.token}
    else:
        arguments |= {"authenticator": "SNOWFLAKE_JWT", "private_key": _der(given.private_key or "")}
    return {name: value for name, value in arguments.items() if value is not None}


def _der(pem: str) -> bytes:
    """A private key as the connector takes it."""
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise VectorsRefused(
            "privateKey of the connection is no PEM key without a passphrase: write one that begins with"
            " -----BEGIN PRIVATE KEY-----"
        ) from error
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]
