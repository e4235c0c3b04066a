"""What a file is, by its first bytes. The type that a sender names is not asked: browsers guess it from the name.

Text in any language is taken, and what often lies beside it: pictures, PDF and office documents (an ingestion says of
each what it could not use). Programs, disk images and archives other than zip are not.
"""

from dataclasses import dataclass
from typing import Final

from kijko.services.uploads.names import suffix
from kijko.services.uploads.refusal import Refused

HEAD_BYTES: Final = 65_536
"""How many of a file's first bytes `sniff` wants."""
ZIP: Final = "application/zip"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file that is told by its beginning."""

    type: str
    words: str
    suffixes: frozenset[str] = frozenset()
    """What the name of one may end with; none is named where the kind is not taken."""


_OFFICE: Final = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odp": "application/vnd.oasis.opendocument.presentation",
    "epub": "application/epub+zip",
}
"""Zips that are documents: kept as they are."""


def _kind(type_: str, words: str, suffixes: str = "") -> Kind:
    return Kind(type_, words, frozenset(suffixes.split()))


_ZIP: Final = _kind(ZIP, "a zip archive", "zip")
_PDF: Final = _kind("application/pdf", "a PDF document", "pdf ai")
_PROGRAM: Final = _kind("application/x-executable", "a program")
_ARCHIVE: Final = _kind("application/octet-stream", "an archive other than zip")
_IMAGE_OF_A_DISK: Final = _kind("application/octet-stream", "an image of a disk")
_BEGINNINGS: Final[tuple[tuple[int, bytes, Kind], ...]] = (
    (0, b"PK\x03\x04", _ZIP),
    (0, b"PK\x05\x06", _ZIP),
    (0, b"%PDF-", _PDF),
    (0, b"\x89PNG\r\n\x1a\n", _kind("image/png", "a PNG image", "png apng")),
    (0, b"\xff\xd8\xff", _kind("image/jpeg", "a JPEG image", "jpg jpeg jpe jfif")),
    (0, b"GIF87a", _kind("image/gif", "a GIF image", "gif")),
    (0, b"GIF89a", _kind("image/gif", "a GIF image", "gif")),
    (8, b"WEBP", _kind("image/webp", "a WebP image", "webp")),
    (0, b"\x00\x00\x01\x00", _kind("image/x-icon", "an icon", "ico")),
    (0, b"II*\x00", _kind("image/tiff", "a TIFF image", "tif tiff")),
    (0, b"MM\x00*", _kind("image/tiff", "a TIFF image", "tif tiff")),
    (0, b"wOFF", _kind("font/woff", "a font", "woff")),
    (0, b"wOF2", _kind("font/woff2", "a font", "woff2")),
    (0, b"\x00\x01\x00\x00\x00", _kind("font/ttf", "a font", "ttf")),
    (0, b"OTTO", _kind("font/otf", "a font", "otf")),
    (0, b"SQLite format 3\x00", _kind("application/vnd.sqlite3", "an SQLite database", "db sqlite sqlite3")),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _kind("application/x-ole-storage", "an office document", "doc xls ppt")),
    (0, b"\x7fELF", _PROGRAM),
    (0, b"MZ", _PROGRAM),
    (0, b"\xca\xfe\xba\xbe", _PROGRAM),
    (0, b"\xfe\xed\xfa\xce", _PROGRAM),
    (0, b"\xfe\xed\xfa\xcf", _PROGRAM),
    (0, b"\xce\xfa\xed\xfe", _PROGRAM),
    (0, b"\xcf\xfa\xed\xfe", _PROGRAM),
    (0, b"\x00asm", _PROGRAM),
    (0, b"dex\n", _PROGRAM),
    (0, b"\x1f\x8b", _ARCHIVE),
    (0, b"BZh", _ARCHIVE),
    (0, b"\xfd7zXZ\x00", _ARCHIVE),
    (0, b"7z\xbc\xaf\x27\x1c", _ARCHIVE),
    (0, b"Rar!\x1a\x07", _ARCHIVE),
    (0, b"\x28\xb5\x2f\xfd", _ARCHIVE),
    (257, b"ustar", _ARCHIVE),
    (0, b"MSCF", _ARCHIVE),
    (0x8001, b"CD001", _IMAGE_OF_A_DISK),
)
_NEVER_TEXT: Final = frozenset(
    {"zip", "pdf", "png", "jpg", "jpeg", "gif", "webp", "ico", "tif", "tiff", "woff", "woff2", "ttf", "otf"}
)
"""Endings of names that no text has."""
_MARKS_OF_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_TEXTS: Final = {
    "text/markdown": "md markdown mdx",
    "text/html": "html htm xhtml",
    "text/css": "css scss less",
    "text/csv": "csv",
    "text/x-python": "py pyi",
    "text/javascript": "js mjs cjs jsx",
    "image/svg+xml": "svg",
    "application/json": "json jsonc ipynb",
    "application/xml": "xml xsd xsl xslt",
    "application/yaml": "yaml yml",
    "application/toml": "toml",
}
_TEXT_TYPES: Final = {end: kind for kind, ends in _TEXTS.items() for end in ends.split()}
"""Texts with a media type of their own; all others are text/plain."""


def sniff(name: str, head: bytes) -> str:
    """The media type of a file, from its first HEAD_BYTES bytes (or all, where it has less) and what its name adds.

    Raises:
        Refused: it is of no kind that is taken, or not what its name says.
    """
    found = _by_beginning(head)
    if found is None:
        return _text(name, head)
    if not found.suffixes:
        raise Refused(f"The file is {found.words}, and that is not taken. Send text, documents or a zip archive.")
    end = suffix(name)
    if found is _ZIP and end in _OFFICE:
        return _OFFICE[end]
    if end and end not in found.suffixes:
        raise Refused(f"The content is {found.words}, but the name says otherwise. Name it .{min(found.suffixes)}.")
    return found.type


def _by_beginning(head: bytes) -> Kind | None:
    found = next((kind for at, mark, kind in _BEGINNINGS if head.startswith(mark, at)), None)
    # A text may begin like that: `MZ`, `BZh` and `OTTO` are letters too. A PDF may be all letters.
    return None if found is not None and found is not _PDF and _is_text(head) else found


def _text(name: str, head: bytes) -> str:
    if not _is_text(head):
        raise Refused("The file is neither text nor of a kind that is known. Send text, documents or a zip archive.")
    said = next((kind.words for _, _, kind in _BEGINNINGS if suffix(name) in kind.suffixes & _NEVER_TEXT), None)
    if said is not None:
        raise Refused(f"The name says that this is {said}, but the content is not.")
    return _TEXT_TYPES.get(suffix(name), "text/plain")


def _is_text(head: bytes) -> bool:
    """UTF-8, UTF-16 with its mark, or an older 8-bit encoding: then hardly a control character is among it."""
    if head.startswith(_MARKS_OF_UTF16):
        return True
    if b"\x00" in head:
        return False
    odd = sum(head.count(each) for each in range(32) if each not in b"\t\n\r\f\v\b\x1b")
    return odd * 100 <= len(head)
