"""Reading what containerd and buildah say about images."""

import pytest

from devcluster.images import parse_images, pick

TABLE = """\
REF                      TYPE                                       DIGEST        SIZE     PLATFORMS   LABELS
slipway.local/base:12    application/vnd.oci.image.manifest.v1+json sha256:aa     126.3 MiB linux/amd64 io.cri=managed
slipway.local/pause:1    application/vnd.oci.image.manifest.v1+json sha256:bb     1.5 MiB  linux/amd64 -
sha256:cc                application/vnd.oci.image.manifest.v1+json sha256:aa     126.3 MiB linux/amd64 -
slipway.local/x@sha256:d application/vnd.oci.image.manifest.v1+json sha256:dd     1.5 MiB  linux/amd64 -
"""


def test_containerds_table_without_the_aliases() -> None:
    assert parse_images(TABLE) == {"slipway.local/base:12": "sha256:aa", "slipway.local/pause:1": "sha256:bb"}
    assert parse_images("") == {}


LISTED: list[dict[str, object]] = [
    {"names": None, "digest": "sha256:0"},
    {"names": ["localhost/tool:1"], "digest": "sha256:1"},
    {"names": ["slipway.local/base:12", "slipway.local/base:old"], "digest": "sha256:2"},
]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("slipway.local/base:12", ("slipway.local/base:12", "sha256:2")),
        ("tool:1", ("localhost/tool:1", "sha256:1")),
        ("tool:2", None),
    ],
)
def test_an_image_of_buildahs_by_name(name: str, found: tuple[str, str] | None) -> None:
    assert pick(name, LISTED) == found
