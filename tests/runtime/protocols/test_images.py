"""Pictures: what is one, and what is too large to be decoded by whoever gets it."""

import base64
from collections.abc import Callable

import pytest

from slipway_runtime.agents.conversation import image_content
from slipway_runtime.problems import Problem
from slipway_runtime.protocols.ask import ImagePart
from slipway_runtime.protocols.image_sizes import SEGMENTS_MAX, size_of
from slipway_runtime.protocols.images import PIXELS_MAX, TooManyPixels, read_data_url

PIXELS = {
    "png": ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="),
    "gif": "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7",
    "jpeg": (
        "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////"
        "////////////////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA="
    ),
    "webp": "UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA",
    "webp lossless": "UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==",
    "webp extended": (
        "UklGRkoAAABXRUJQVlA4WAoAAAAQAAAAAAAAAAAAQUxQSAwAAAARBxAR/Q9ERP8DAABWUDggGAAAABQBAJ0BKgEAAQAAAP4AAA3A"
        "AP7mtQAAAA=="
    ),
}
"""Files of one pixel."""


def kind(name: str) -> str:
    return f"image/{name.split()[0]}"


def pixel(name: str) -> bytes:
    return base64.b64decode(PIXELS[name])


def patched(data: bytes, at: int, size: bytes) -> bytes:
    return data[:at] + size + data[at + len(size) :]


def big(*numbers: int, length: int = 2) -> bytes:
    return b"".join(number.to_bytes(length, "big") for number in numbers)


def little(*numbers: int, length: int = 2) -> bytes:
    return b"".join(number.to_bytes(length, "little") for number in numbers)


def frame(data: bytes) -> int:
    return data.index(b"\xff\xc2") + 5


BOMBS: dict[str, Callable[[], bytes]] = {
    "png": lambda: patched(pixel("png"), 16, big(100_000, 30_000, length=4)),
    "gif": lambda: patched(pixel("gif"), 6, little(65_535, 65_535)),
    "jpeg": lambda: patched(pixel("jpeg"), frame(pixel("jpeg")), big(65_500, 65_500)),
    "webp": lambda: patched(pixel("webp"), 26, little(16_383, 16_383)),
    "webp lossless": lambda: patched(pixel("webp lossless"), 21, little(2**28 - 1, length=4)),
    "webp extended": lambda: patched(pixel("webp extended"), 24, little(2**24 - 1, 2**8 - 1, length=3)),
}


@pytest.mark.parametrize("name", PIXELS)
def test_a_small_picture_is_taken(name: str) -> None:
    assert size_of(kind(name), pixel(name)) == (1, 1)
    part = read_data_url(f"data:{kind(name)};base64,{PIXELS[name]}")
    assert image_content(part).data == pixel(name)


@pytest.mark.parametrize("name", BOMBS)
def test_a_picture_of_too_many_pixels_is_refused_by_gateway_and_host(name: str) -> None:
    data = base64.b64encode(BOMBS[name]()).decode()
    with pytest.raises(TooManyPixels, match=r"pixels is too large: send one of at most 50 million"):
        read_data_url(f"data:{kind(name)};base64,{data}")
    with pytest.raises(Problem, match="is too large"):
        image_content(ImagePart(media_type=kind(name), data=data))


def test_the_limit_is_of_width_times_height() -> None:
    wide = patched(pixel("png"), 16, big(PIXELS_MAX, 1, length=4))
    assert read_data_url("data:image/png;base64," + base64.b64encode(wide).decode())


@pytest.mark.parametrize(
    "between",
    [
        b"\xff" * 500_000,
        b"\xff\xe1" + big(65_535) + bytes(65_533),
        b"\xff\xe0\x00\x02" * (SEGMENTS_MAX - 10),
        b"no marker",
        b"\xff\x01",
    ],
    ids=["fill bytes", "a long segment", "many segments", "garbage", "a marker without length"],
)
def test_nothing_before_it_hides_the_size_of_a_jpeg(between: bytes) -> None:
    bomb = BOMBS["jpeg"]()
    assert size_of("image/jpeg", bomb[:2] + between + bomb[2:]) == (65_500, 65_500)


def test_a_jpeg_with_segments_without_end_is_refused() -> None:
    bomb = BOMBS["jpeg"]()
    hidden = base64.b64encode(bomb[:2] + b"\xff\xe0\x00\x02" * 2 * SEGMENTS_MAX + bomb[2:]).decode()
    with pytest.raises(TooManyPixels, match="save it anew"):
        read_data_url(f"data:image/jpeg;base64,{hidden}")


@pytest.mark.parametrize("name", PIXELS)
def test_a_header_that_is_cut_tells_no_size(name: str) -> None:
    data = pixel(name)
    for length in range(len(data)):
        assert size_of(kind(name), data[:length]) in (None, (1, 1))
