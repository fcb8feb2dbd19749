"""Names, folders and versions of clusters."""

from pathlib import Path

import pytest

from devcluster import settings
from devcluster.errors import DevclusterError


@pytest.mark.parametrize("name", ["devcluster", "a", "two-2", "a" * 20])
def test_a_name_becomes_folder_cgroup_and_context(name: str) -> None:
    cluster = settings.cluster(name)
    assert cluster.root.name == name
    assert cluster.cgroup == f"slipway-devcluster/{name}"


@pytest.mark.parametrize("name", ["", "2", "A", "a_b", "-a", "a-", "a" * 21, "../x", "a/b", "a b"])
def test_other_names_are_refused_with_what_is_allowed(name: str) -> None:
    with pytest.raises(DevclusterError, match="at most 20 lower-case letters"):
        settings.cluster(name)


def test_the_context_names_the_cluster_unless_it_is_the_usual_one() -> None:
    assert settings.cluster("devcluster").context == "devcluster"
    assert settings.cluster("two").context == "devcluster-two"


def test_folders_follow_the_xdg_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert settings.cache_home() == tmp_path / "cache" / "slipway" / "devcluster"
    assert settings.state_home() == settings.cache_home()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert settings.cluster("two").root == tmp_path / "state" / "slipway" / "devcluster" / "clusters" / "two"


def test_known_clusters_are_those_with_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert settings.known_clusters() == []
    for name in ("two", "one"):
        settings.cluster(name).root.mkdir(parents=True)
    settings.cluster("one").lock.write_text("")
    assert settings.known_clusters() == ["one", "two"]


def test_a_version_that_is_not_offered_is_refused_with_those_that_are() -> None:
    assert settings.kubernetes_version("1.34") == "1.34.4"
    with pytest.raises(DevclusterError, match=r"1\.20 is not offered here: choose one of 1\.34, 1\.36"):
        settings.kubernetes_version("1.20")
