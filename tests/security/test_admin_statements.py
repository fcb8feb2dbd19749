"""The administrator of the store runs the statements that docs/security.md lists, and no others.

A Postgres of the test's own logs every statement with who sent it. The operator goes through a namespace's whole life
there; a statement that no pattern below allows is refused by this test.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from slipway_operator.store.admin_connections import StoreError
from slipway_operator.store.rotation import EarlierLogins
from slipway_runtime.store.opening import open_database
from tests.support.postgres import RestartablePostgres
from tests.support.store_keeping import Store, store_of
from tests.support.waiting import until

ROLE = r"ns_[0-9a-f]{32}(_v[0-9]+|_op)?"
CATALOG = r"(pg_roles|pg_namespace|pg_class|pg_extension|pg_available_extensions)( [a-z])?"
ALLOWED = tuple(
    re.compile(pattern)
    for pattern in (
        # Roles
        rf"(CREATE|ALTER) ROLE {ROLE} WITH (NOLOGIN|LOGIN NOINHERIT CONNECTION LIMIT [0-9]+ PASSWORD '[\w-]+')",
        rf"ALTER ROLE {ROLE} WITH NOLOGIN CONNECTION LIMIT 0",
        rf"ALTER ROLE {ROLE} (IN DATABASE \S+ )?RESET ALL",
        rf"ALTER ROLE {ROLE} SET (role = '{ROLE}'|search_path = {ROLE}, extensions)",
        rf"COMMENT ON ROLE {ROLE} IS '[\w :,-]+'",
        rf"GRANT {ROLE} TO ({ROLE}|CURRENT_USER)",
        rf"DROP (OWNED BY {ROLE} CASCADE|ROLE {ROLE})",
        # Schemas
        rf"CREATE SCHEMA (slipway|{ROLE}(_wf)? AUTHORIZATION {ROLE})",
        # pgvector, once, and its use by namespaces
        r"CREATE SCHEMA extensions",
        r"CREATE EXTENSION vector WITH SCHEMA extensions",
        rf"GRANT USAGE ON SCHEMA extensions TO {ROLE}",
        # The administrator's own table
        r"CREATE TABLE slipway\.namespaces \([a-zA-Z_, ]+\)",
        r"(SELECT [\w, ():-]+ FROM|INSERT INTO|UPDATE|DELETE FROM) slipway\.namespaces( [\w$ =(),]+)?",
        # The catalog: no tables but its own, no functions but these
        rf"SELECT [\w.:, ()'$]+ FROM {CATALOG}( JOIN {CATALOG} ON [\w. =]+)?( WHERE [\w.:$ =(),']+)?( DESC, rolname)?",
        r"SELECT pg_terminate_backend\(pid\) FROM pg_stat_activity WHERE usename = ANY\(\$1::text\[\]\)",
        r"SELECT current_user::text",
        r"SELECT quote_ident\(current_database\(\)::text\)",
        # Transactions
        r"BEGIN|COMMIT|ROLLBACK",
    )
)
FUNCTIONS = frozenset(
    {"any", "current_database", "extract", "length", "now", "pg_terminate_backend", "quote_ident", "shobj_description"}
    | {"starts_with"}
)
"""Of `pg_catalog`, which is the whole search path."""


@pytest.fixture(scope="module")
def server() -> Iterator[RestartablePostgres]:
    with RestartablePostgres() as started:
        yield started


@pytest.fixture
async def log(server: RestartablePostgres) -> Path:
    connection = await asyncpg.connect(server.dsn)
    for setting, value in {
        "log_statement": "all",
        "log_line_prefix": "<%u|%a>",
        "log_min_messages": "log",
        "log_min_error_statement": "panic",
    }.items():
        await connection.execute(f"ALTER SYSTEM SET {setting} = '{value}'")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()
    return server.log


async def live_a_whole_life(store: Store) -> None:
    """Made, used, looked at again, rotated, purged (once in vain), deleted, come back, deleted for good."""
    namespace, other = store.namespace(), store.namespace()
    await store.keeper.ensure(namespace)
    await store.restarted().ensure(namespace)
    assert await store.keeper.extension.trouble(namespace.uid) is None
    database = await open_database(store.dsn_of(store.keeper.access(namespace).login))
    function = "CREATE FUNCTION attack() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'never'; END $$"
    await database.execute("INSERT INTO chunks VALUES ('1', $1, 'r', 's', 'd', 0, 'h', 0, 1, 't', '[]', '')", "x/docs")
    await database.execute(function)
    await database.execute("CREATE TRIGGER attack BEFORE DELETE ON chunks EXECUTE FUNCTION attack()")
    await database.close()
    with pytest.raises(StoreError, match="never"):
        await store.keeper.purge(namespace, "docs")
    await store.keeper.purge(other, "docs")
    namespace = store.rotated(namespace)
    await store.keeper.ensure(namespace)
    await EarlierLogins(store.kube, store.cache, store.keeper).look()
    departed = store.departed(grace=0)
    store.delete(namespace)
    await departed.sweep()
    store.put(namespace)
    await departed.sweep()
    store.delete(namespace)
    await departed.sweep()
    await departed.sweep()


async def test_every_statement_of_the_administrator_is_one_of_those_listed(
    server: RestartablePostgres, log: Path
) -> None:
    async with store_of(server.dsn) as store:
        await live_a_whole_life(store)
        connection = await asyncpg.connect(server.dsn)
        await connection.execute("SELECT 'the end of the log'")
        await connection.close()
        await until(lambda: "the end of the log" in written(log), "the log is written")
    statements = of_the_operator(written(log))
    assert len(statements) > 50
    for statement in statements:
        assert any(pattern.fullmatch(statement) for pattern in ALLOWED), statement
        called = set(re.findall(r"(\w+) ?\(", re.sub(r"'[^']*'", "", statement))) - {"namespaces", "VALUES"}
        assert {each.lower() for each in called} <= FUNCTIONS, statement


async def test_every_connection_of_the_administrator_has_the_catalog_as_its_search_path(postgres_dsn: str) -> None:
    async with store_of(postgres_dsn) as store, store.keeper.admin.connect() as connection:
        assert await connection.fetchval("SHOW search_path") == "pg_catalog"


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ns_0123456789abcdef0123456789abcdef.chunks WHERE index_name = $1",
        "SELECT count(*) FROM ns_0123456789abcdef0123456789abcdef.runs",
        "SELECT pg_advisory_xact_lock(hashtext('slipway/roles'))",
        "REASSIGN OWNED BY ns_0123456789abcdef0123456789abcdef TO postgres",
        "CREATE EXTENSION dblink",
        "ALTER ROLE ns_0123456789abcdef0123456789abcdef WITH SUPERUSER",
    ],
)
def test_the_list_refuses_what_is_dangerous(statement: str) -> None:
    assert not any(pattern.fullmatch(statement) for pattern in ALLOWED)


def written(log: Path) -> str:
    return log.read_text(errors="replace")


def of_the_operator(log: str) -> list[str]:
    """The statements that the operator sent as the administrator, each in one line."""
    entries = re.split(r"^<", log, flags=re.MULTILINE)
    prefix = re.compile(r"postgres\|slipway-operator>LOG:  (?:statement|execute [^:]*): (.*)", re.DOTALL)
    found = (prefix.match(entry) for entry in entries)
    return [" ".join(each[1].split()).rstrip(";") for each in found if each is not None]
