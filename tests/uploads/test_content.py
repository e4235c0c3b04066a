"""What a file is said to be, by its first bytes and its name."""

import pytest

from kijko.services.uploads.content import sniff
from kijko.services.uploads.refusal import Refused

_ZIP = b"PK\x03\x04\x14\x00\x00\x00\x08\x00"
_CLASS = b"\xca\xfe\xba\xbe\x00\x00\x00\x41"


@pytest.mark.parametrize(
    ("name", "head", "type_"),
    [
        ("a.py", b"import os\n", "text/x-python"),
        ("Makefile", b"all:\n\techo\n", "text/plain"),
        ("x.ts", b"export const a = 1;\n", "text/plain"),
        ("a.json", b"{}", "application/json"),
        ("a.svg", b"<svg/>", "image/svg+xml"),
        ("old.txt", "Grüße aus Köln".encode("latin-1"), "text/plain"),
        ("windows.txt", "\ufeffhello".encode("utf-16-le"), "text/plain"),
        ("colours.log", b"\x1b[31mred\x1b[0m\n", "text/plain"),
        ("MZ.txt", "MZ-Größe".encode(), "text/plain"),
        ("BZh.txt", b"BZh is how bzip2 begins\n", "text/plain"),
        ("readme", b"GIF89a is an old format\n", "text/plain"),
        ("photo.JPG", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "image/jpeg"),
        ("photo", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "image/png"),
        ("paper.pdf", b"%PDF-1.7\n", "application/pdf"),
        ("letter.docx", _ZIP, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("all.zip", _ZIP, "application/zip"),
        ("all", _ZIP, "application/zip"),
        (".gitignore", b"*.pyc\n", "text/plain"),
    ],
)
def test_what_is_taken_has_a_type(name: str, head: bytes, type_: str) -> None:
    assert sniff(name, head) == type_


@pytest.mark.parametrize(
    ("name", "head", "words"),
    [
        ("setup.exe", b"MZ\x90\x00\x03\x00", "a program"),
        ("notes.txt", b"MZ\x90\x00\x03\x00", "a program"),
        ("tool", b"\x7fELF\x02\x01\x01\x00", "a program"),
        ("Main.class", _CLASS, "a program"),
        ("app.wasm", b"\x00asm\x01\x00\x00\x00", "a program"),
        ("a.tgz", b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "an archive other than zip"),
        ("a.tar", b"a.txt" + bytes(252) + b"ustar\x0000" + bytes(248), "an archive other than zip"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c\x00\x04", "an archive other than zip"),
        ("a.iso", bytes(0x8001) + b"CD001", "an image of a disk"),
        ("lib.jar", _ZIP, "a zip archive, but the name says otherwise"),
        ("a.txt", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "a PNG image, but the name says otherwise"),
        ("a.pdf", b"no pdf", "a PDF document, but the content is not"),
        ("all.zip", b"no zip", "a zip archive, but the content is not"),
        ("core", bytes(100), "neither text nor"),
        ("noise.txt", bytes(range(1, 256)), "neither text nor"),
    ],
)
def test_what_is_not_taken_is_told_what_it_is(name: str, head: bytes, words: str) -> None:
    with pytest.raises(Refused, match=words):
        sniff(name, head)
