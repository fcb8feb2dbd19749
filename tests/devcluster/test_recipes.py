"""What is built, and from which versions."""

import re
from pathlib import Path

import pytest

from devcluster import binaries, recipes
from devcluster.errors import DevclusterError
from devcluster.recipes import Recipe

LOCAL = [recipes.kubernetes("1.34"), recipes.kubernetes("1.36"), recipes.ETCD, recipes.COREDNS]


@pytest.mark.parametrize("recipe", LOCAL, ids=lambda recipe: f"{recipe.name}-{recipe.version}")
def test_the_version_told_is_the_version_required(recipe: Recipe) -> None:
    modfile = (binaries.go_folder() / recipe.folder / recipe.modfile).read_text()
    required = dict(re.findall(r"^\s*(?:require )?(\S+) v(\S+)$", modfile, re.MULTILINE))
    module = {
        "kubernetes": "k8s.io/kubernetes",
        "etcd": "go.etcd.io/etcd/server/v3",
        "coredns": "github.com/coredns/coredns",
    }[recipe.folder]
    assert required[module] == recipe.version


@pytest.mark.parametrize("name", recipes.BUILDABLE)
def test_everything_buildable_has_a_recipe(name: str) -> None:
    assert recipes.by_name(name).version


def test_what_cannot_be_built_is_refused_with_what_can() -> None:
    with pytest.raises(DevclusterError, match=r"'kwark' is not among what can be built: kubernetes, .*kwok"):
        recipes.by_name("kwark")


def test_the_api_server_alone_is_built_from_the_same_sources() -> None:
    whole, alone = recipes.kubernetes("1.36"), recipes.kubernetes("1.36", api_only=True)
    assert (whole.folder, whole.modfile, whole.version) == (alone.folder, alone.modfile, alone.version)
    assert alone.tags == ("apiserver_only",)
    assert "kube-apiserver" in whole.links


def test_a_local_module_is_built_with_its_own_module_file(tmp_path: Path) -> None:
    command = binaries.build_command(recipes.kubernetes("1.36"), tmp_path)
    assert command[:2] == ["go", "build"]
    assert command[command.index("-modfile") + 1] == "1.36.mod"
    assert command[command.index("-o") + 1] == str(tmp_path / "kubernetes")
    assert "-X k8s.io/component-base/version.gitVersion=v1.36.3" in command[command.index("-ldflags") + 1]


def test_a_module_of_others_is_installed_by_its_version(tmp_path: Path) -> None:
    command = binaries.build_command(recipes.HELM, tmp_path)
    assert command[:2] == ["go", "install"]
    assert command[-1] == "helm.sh/helm/v3/cmd/helm@v3.22.0"


SOURCES = {"main.go": b"package main", "go.sum": b""}


@pytest.mark.parametrize(
    ("recipe", "toolchain", "sources"),
    [
        (recipes.COREDNS, "go1.26.8 linux amd64", SOURCES),
        (recipes.ETCD, "go1.27.0 linux amd64", SOURCES),
        (recipes.ETCD, "go1.26.8 linux amd64", {**SOURCES, "main.go": b"package other"}),
        (recipes.ETCD, "go1.26.8 linux amd64", {**SOURCES, "new.go": b""}),
        (recipes.ETCD, "go1.26.8 linux amd64", {"main.go": b"package main", "go.su": b"m"}),
    ],
)
def test_the_fingerprint_changes_with_all_that_makes_a_binary(
    recipe: Recipe, toolchain: str, sources: dict[str, bytes]
) -> None:
    usual = binaries.fingerprint(recipes.ETCD, "go1.26.8 linux amd64", SOURCES)
    assert binaries.fingerprint(recipes.ETCD, "go1.26.8 linux amd64", dict(reversed(SOURCES.items()))) == usual
    assert binaries.fingerprint(recipe, toolchain, sources) != usual


def test_only_files_that_are_compiled_count_as_sources() -> None:
    newest = set(binaries.sources_of(recipes.kubernetes("1.36")))
    assert newest == {"main.go", "others.go", "1.36.mod", "1.36.sum"}
    assert set(binaries.sources_of(recipes.kubernetes("1.34"))) == {"main.go", "others.go", "go.mod", "go.sum"}
    assert binaries.sources_of(recipes.HELM) == {}
