"""Where the texts of an index's documents are kept."""

from typing import Annotated

from slipway_crds.contract import connection_file
from slipway_crds.fields import SpecModel, emulated, same
from slipway_crds.rules import OneOf
from slipway_crds.runtimeconfig import DocumentsConfig
from slipway_crds.servers import FROM_SECRET, SecretKey


class PostgresDocuments(SpecModel):
    """The store itself, or another Postgres."""

    connection_ref: Annotated[SecretKey | None, FROM_SECRET] = None
    """DSN of a Postgres in a Secret. The store's own if unset: the texts are in the namespace's schema."""


class SqliteDocuments(SpecModel):
    """The file of the local driver."""

    local = same("The file of the local driver, unless --store names a Postgres.")


class MongoDocuments(SpecModel):
    """A database of a MongoDB."""

    local = FROM_SECRET

    connection_ref: SecretKey
    """Address and credentials in a Secret, which only pods of the namespace read."""


class DocumentPlace(OneOf):
    """Where texts are kept: exactly one member."""

    postgres: Annotated[
        PostgresDocuments | None, emulated("Without connectionRef, texts are in the store of the local driver.")
    ] = None
    """A Postgres."""
    sqlite: Annotated[SqliteDocuments | None, same("The file of the local driver.")] = None
    """The file of `slipway dev`; in a cluster it is refused."""
    mongodb: Annotated[MongoDocuments | None, same("The same service is used.")] = None
    """A MongoDB."""

    @property
    def connection(self) -> SecretKey | None:
        """What is connected to; None for the store itself."""
        chosen = getattr(self, self.chosen)
        return None if isinstance(chosen, SqliteDocuments) else chosen.connection_ref


class Documents(SpecModel):
    """What is kept of documents."""

    local = same("Texts are kept in the same way.")

    store: Annotated[DocumentPlace, same("Texts are kept in the same way.")] = DocumentPlace(
        postgres=PostgresDocuments()
    )
    """Where the texts of documents are kept, which citations point into. A change makes a new revision."""

    def config(self, index: str) -> DocumentsConfig:
        """What ingestions and hosts do with it."""
        ref = self.store.connection
        if ref is None:
            return DocumentsConfig()
        kind = "mongodb" if self.store.mongodb is not None else "postgres"
        return DocumentsConfig(kind=kind, connection=connection_file(index, ref.name, ref.key))
