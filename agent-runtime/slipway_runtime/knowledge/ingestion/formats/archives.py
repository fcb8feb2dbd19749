"""Office files are ZIP archives of XML. What is inside is measured before anything is unpacked."""

import zipfile
from io import BytesIO

from lxml import etree

from slipway_runtime.knowledge.ingestion.formats.parsed import Unreadable

MEMBERS_MAX = 10_000
UNPACKED_MAX = 200_000_000
"""Bytes of all members together."""
RATIO_MAX = 200
"""A member that grows more than this when it is unpacked, and is large then, was made to exhaust memory."""
RATIO_FREE = 5_000_000
"""Bytes up to which the ratio does not matter: XML of empty tables packs very well."""
PROPERTIES = "docProps/core.xml"
PROPERTY_NAMES = {"title": "title", "creator": "author", "modified": "modified"}


def check_archive(content: bytes, kind: str) -> zipfile.ZipFile:
    """The archive, once it is known that unpacking it is harmless. Sizes are what its directory says; a reader stops
    at a member's declared size.

    Raises:
        Unreadable: if it is broken, encrypted or a bomb.
    """
    try:
        archive = zipfile.ZipFile(BytesIO(content))
        members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise Unreadable(f"a damaged or truncated {kind}; write it again") from error
    if any(member.flag_bits & 1 for member in members):
        raise Unreadable(f"an encrypted {kind}; remove the password")
    unpacked = sum(member.file_size for member in members)
    dense = any(member.file_size > max(RATIO_FREE, RATIO_MAX * member.compress_size) for member in members)
    if len(members) > MEMBERS_MAX or unpacked > UNPACKED_MAX or dense:
        raise Unreadable(f"a {kind} that unpacks to {unpacked:,} bytes, which was not done; split it")
    return archive


def core_properties(archive: zipfile.ZipFile) -> dict[str, object]:
    """Title, author and time of the last change, as far as the file says them."""
    try:
        root = etree.fromstring(archive.read(PROPERTIES), etree.XMLParser(resolve_entities=False, no_network=True))
    except (KeyError, etree.XMLSyntaxError):
        return {}
    found = {etree.QName(each).localname: (each.text or "").strip() for each in root if isinstance(each.tag, str)}
    return {ours: found[theirs] for theirs, ours in PROPERTY_NAMES.items() if found.get(theirs)}
