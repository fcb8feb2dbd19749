"""Where the base image is made from."""

import pytest

from devcluster import base_image
from devcluster.errors import DevclusterError


def test_the_mirror_is_the_first_that_apt_is_set_to() -> None:
    assert base_image.pick_mirror("\nhttp://a.example/debian\nhttp://b.example/debian\n") == "http://a.example/debian"


def test_without_a_mirror_the_user_is_told_to_add_one() -> None:
    with pytest.raises(DevclusterError, match="no source for Debian bookworm: add one"):
        base_image.pick_mirror("\n")


def test_the_recipe_names_all_that_the_image_is_made_by() -> None:
    for package in base_image.PACKAGES:
        assert package in base_image.recipe()
