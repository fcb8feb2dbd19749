"""`Cache.look`: what those see of an object who refer to it, of whatever kind it is."""

import pytest

from slipway_crds.references import Ref
from slipway_operator.core.cache import Cache, Referenced, ResourceKey, resource_of
from slipway_operator.core.namespaces import Namespace
from tests.support import operator_manifests as manifests

INDEX, DOCUMENTS, DEMO = (
    Ref("VectorIndex", "demo", "handbook"),
    Ref("ConfigMap", "demo", "documents"),
    Ref("Namespace", "", "demo"),
)


@pytest.fixture
def cache() -> Cache:
    """With an index that serves, its source and their namespace."""
    made = Cache()
    raw = manifests.index("demo")
    raw["metadata"] |= {"uid": "uid-1", "resourceVersion": "1"}
    raw["status"] = {
        "activeRevision": "r1",
        "conditions": [{"type": "Ready", "status": "True", "reason": "Serving", "message": "2 documents"}],
    }
    made.put_resource(resource_of("VectorIndex", raw))
    made.put_config_map(DOCUMENTS.namespace, DOCUMENTS.name, "uid-2/5")
    made.put_namespace(namespace())
    return made


def namespace(*, version: int = 1, deleting: bool = False, login: int = 1) -> Namespace:
    return Namespace(name="demo", uid="uid-3", version=version, deleting=deleting, login=login)


def test_an_object_of_ours_a_config_map_and_a_namespace_answer_alike(cache: Cache) -> None:
    index = cache.look(INDEX)
    assert (index.exists, index.ready, index.reason, index.message) == (True, True, "Serving", "2 documents")
    assert index.facts["activeRevision"] == "r1"
    assert cache.look(DOCUMENTS) == Referenced(exists=True, ready=True, version="uid-2/5")
    assert cache.look(DEMO) == Referenced(exists=True, uid="uid-3", ready=True, facts={"login": 1})


@pytest.mark.parametrize("ref", [INDEX, DOCUMENTS, DEMO])
def test_what_is_not_there_is_said_not_to_exist(ref: Ref) -> None:
    assert Cache().look(ref) == Referenced()


def test_who_refers_to_an_object_is_named_when_what_they_see_changes(cache: Cache) -> None:
    index = {ResourceKey(*INDEX)}
    assert cache.put_config_map(DOCUMENTS.namespace, DOCUMENTS.name, "uid-2/6") == index
    assert cache.put_config_map(DOCUMENTS.namespace, DOCUMENTS.name, "uid-2/6") == set()
    assert cache.put_namespace(namespace(version=2)) == set(), "only its version is another"
    assert cache.put_namespace(namespace(version=3, login=2)) == index
    assert cache.put_namespace(namespace(version=4, login=2, deleting=True)) == index
    going = cache.look(DEMO)
    assert (going.ready, going.reason) == (False, "Terminating")
    assert cache.drop_namespace("demo", "uid-3") == index
    assert not cache.look(DEMO).exists
