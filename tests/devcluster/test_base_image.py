"""Where the base image is made from."""

import pytest

from devcluster import base_image
from devcluster.errors import DevclusterError


def test_each_suite_comes_from_the_first_place_that_apt_is_set_to() -> None:
    targets = """
http://a.example/debian bookworm
http://b.example/debian bookworm
http://a.example/debian bookworm-updates
http://s.example/debian-security bookworm-security
http://c.example/tools cloud
"""
    assert base_image.pick_sources(targets) == [
        "deb http://a.example/debian bookworm main",
        "deb http://a.example/debian bookworm-updates main",
        "deb http://s.example/debian-security bookworm-security main",
    ]


def test_without_security_updates_the_user_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert base_image.pick_sources("http://a.example/debian bookworm") == ["deb http://a.example/debian bookworm main"]
    assert "without security updates" in capsys.readouterr().err


def test_without_a_mirror_the_user_is_told_to_add_one() -> None:
    with pytest.raises(DevclusterError, match="no source for Debian bookworm: add one"):
        base_image.pick_sources("\n")


def test_the_recipe_names_all_that_the_image_is_made_by() -> None:
    for package in base_image.PACKAGES:
        assert package in base_image.recipe()
