"""A tenant of the cluster, with a pod's own credentials, tries to become the store's administrator."""

import json
import textwrap

import pytest

from slipway_operator.store.builders import owner_role
from tests.support import operator_manifests as manifests
from tests.support.operator_bench import Bench, bench, serving, wait

pytestmark = pytest.mark.cluster
__all__ = ["bench", "serving"]

SIGN_IN = """
import asyncio, json, pathlib, sys, asyncpg
async def main():
    connection = await asyncpg.connect(pathlib.Path("/etc/slipway/store/dsn").read_text())
    for statement in json.loads(sys.argv[1]):
        rows = await connection.fetch(statement)
    print(json.dumps([list(row) for row in rows], default=str))
asyncio.run(main())
"""
ATTACK = textwrap.dedent("""
    CREATE FUNCTION attack() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO SCHEMA.evidence SELECT session_user, current_user, current_setting('is_superuser');
        BEGIN EXECUTE 'ALTER ROLE SCHEMA_v1 SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;
        RETURN OLD;
    END $$
""")


def sql(bench: Bench, *statements: str) -> list[list[object]]:
    """What the last statement gives, sent from an agent's pod with the credentials that it mounts."""
    (pod, *_) = bench.installation.ready_pods(bench.namespace, agent="support")
    command = ["exec", pod, f"--namespace={bench.namespace}", "--", "python3", "-c", SIGN_IN, json.dumps(statements)]
    answer: list[list[object]] = json.loads(bench.installation.kube.run(*command))
    return answer


def uid(bench: Bench) -> str:
    return str(bench.installation.kube.get("namespace", bench.namespace)["metadata"]["uid"])


def test_a_trigger_on_what_is_purged_gains_nothing(serving: Bench) -> None:
    schema = owner_role(uid(serving))
    serving.apply(manifests.index(serving.namespace, "doomed", deletionPolicy="Delete"))
    serving.until_condition("vectorindexes", "doomed")
    sql(
        serving,
        "CREATE TABLE evidence (who text, actor text, superuser text)",
        ATTACK.replace("SCHEMA", schema),
        "CREATE TRIGGER attack BEFORE DELETE ON chunks FOR EACH ROW EXECUTE FUNCTION attack()",
    )
    serving.installation.kube.run(
        "delete", "vectorindex", "doomed", f"--namespace={serving.namespace}", "--timeout=120s"
    )
    assert sql(serving, "SELECT DISTINCT * FROM evidence") == [[f"{schema}_op", schema, "off"]]
    assert sql(serving, f"SELECT rolsuper FROM pg_roles WHERE rolname = '{schema}_v1'") == [[False]]
    left = sql(serving, "SELECT DISTINCT index_name FROM chunks")
    assert left == [[f"{serving.namespace}/handbook"]], "the rows are deleted nevertheless"


def test_a_namespace_made_again_at_once_starts_empty_and_is_ready(serving: Bench) -> None:
    kube, before = serving.installation.kube, uid(serving)
    sql(serving, "CREATE TABLE old (secret text)")
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kube.run("delete", "namespace", serving.namespace, "--timeout=120s")
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": serving.namespace, "labels": labels}}
    serving.apply(
        namespace, manifests.documents(serving.namespace), manifests.index(serving.namespace), serving.agent()
    )
    serving.until_condition("agents", "support", deadline=60)
    assert uid(serving) != before
    assert sql(serving, "SELECT current_user::text") == [[owner_role(uid(serving))]]
    assert sql(serving, "SELECT to_regclass('old')") == [[None]]
    old = f"SELECT has_schema_privilege('{owner_role(before)}', 'USAGE')"
    assert sql(serving, old) == [[False]]
    shut = f"SELECT bool_or(rolcanlogin) FROM pg_roles WHERE starts_with(rolname::text, '{owner_role(before)}')"
    wait(lambda: sql(serving, shut) == [[False]], lambda: "nobody signs in as the old namespace any more", deadline=60)
