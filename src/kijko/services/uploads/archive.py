"""A zip's files, each looked at before anything of it is unpacked.

Python's `zipfile` reads the directory at the archive's end and never writes to disk here. What it leaves to its caller
is done here: how large that directory may be, how much may come out, and which entries are no files.
"""

import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from kijko.core.words import counted
from kijko.services.uploads.names import clean, plain, shown
from kijko.services.uploads.refusal import Refused
from kijko.services.uploads.spool import megabytes

_ENTRY: Final = b"PK\x01\x02"
_ENTRY_BYTES: Final = 1500
"""An entry of the directory with as long a name as is taken, and some more for what else it says."""
_ALWAYS_FINE: Final = 1_048_576
"""An archive that unpacks to this little is no bomb, whatever its ratio."""
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""Not bzip2, LZMA and the like: hardly used in zips, and their readers take as much memory as the archive wants."""
_ENCRYPTED: Final = 0x1 | 0x40
_UTF8: Final = 0x800
_UNIX: Final = 3
_LEFT_BY_MACOS: Final = "__MACOSX"
_DAMAGED: Final = "The file is damaged in the zip archive."

Failures = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError, ValueError)
"""What `zipfile` raises on an archive that is damaged, or made to be."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may come out of an archive."""

    files: int
    total_bytes: int
    file_bytes: int
    ratio: int


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive that may be unpacked; `size` is what it says, and all that is read."""

    name: str
    size: int
    info: zipfile.ZipInfo


class Archive:
    """A zip that was opened and is within the limits."""

    def __init__(self, file: BinaryIO, size: int, limits: Limits) -> None:
        """`file` with `size` bytes; nothing of it is unpacked.

        Raises:
            Refused: it is damaged, or there is no file in it, or more would come out of it than the limits say.
        """
        guarded = _Guarded(file, limits.files)
        try:
            self._zip = zipfile.ZipFile(guarded)
        except Failures:
            raise Refused("The zip archive is damaged.") from None
        guarded.opening = False
        # `is_dir` looks at the name's last character, and an archive may have an entry without one.
        files = [info for info in self._zip.infolist() if not (info.filename and info.is_dir())]
        if not files:
            raise Refused("The zip archive is empty: it has no files in it.")
        files = [info for info in files if plain(_name(info)).split("/", 1)[0] != _LEFT_BY_MACOS]
        if not files:
            raise Refused(f"The zip archive has only what macOS adds ({_LEFT_BY_MACOS}/), and that is not taken.")
        total = sum(info.file_size for info in files)
        if total > limits.total_bytes:
            raise Refused(f"The zip archive unpacks to more than {megabytes(limits.total_bytes)}. Send less at once.")
        if total > _ALWAYS_FINE and total > size * limits.ratio:
            raise Refused(f"The zip archive unpacks to more than {limits.ratio} times its size, and is not unpacked.")
        self._most = limits.file_bytes
        self._files = files

    def members(self) -> Iterator[Member | tuple[str, str]]:
        """Every file in it: as a member, or its name with the sentence why it is none."""
        for info in self._files:
            told = _name(info)
            try:
                name = clean(told)
                self._check(info)
            except Refused as refused:
                yield shown(told), refused.sentence
            else:
                yield Member(name, info.file_size, info)

    def read(self, member: Member, piece: int) -> Iterator[bytes]:
        """A member's content, at most `piece` bytes at a time.

        Raises:
            Refused: it is not what the directory says.
        """
        seen = 0
        try:
            with self._zip.open(member.info) as content:
                while data := content.read(piece):
                    seen += len(data)
                    yield data
        except Failures:
            raise Refused(_DAMAGED) from None
        if seen != member.size:  # less came out, and its checksum is right all the same
            raise Refused(_DAMAGED)

    def _check(self, info: zipfile.ZipInfo) -> None:
        kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == _UNIX else 0
        if kind == stat.S_IFLNK:
            raise Refused("The file is a symbolic link, and links are not followed.")
        if kind not in {0, stat.S_IFREG}:
            raise Refused("The entry is no regular file.")
        if info.flag_bits & _ENCRYPTED:
            raise Refused("The file is encrypted. Send it without a password.")
        if info.compress_type not in _METHODS:
            raise Refused("The file is compressed in an unusual way. Make the zip archive with Deflate.")
        if info.file_size > self._most:
            raise Refused(f"The file is larger than the {megabytes(self._most)} that one may have.")


class _Guarded:
    """The archive's file, which does not let `zipfile` read a directory of more entries than are allowed."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        self._most = most
        self.opening = True
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if self.opening and size > self._most * _ENTRY_BYTES:
            raise Refused(f"The zip archive has more than {counted(self._most, 'file')}. Send fewer at once.")
        data = self._file.read(size)
        if self.opening and data.startswith(_ENTRY) and data.count(_ENTRY) > self._most:
            raise Refused(f"The zip archive has more than {counted(self._most, 'file')}. Send fewer at once.")
        return data


def _name(info: zipfile.ZipInfo) -> str:
    """The entry's name. Many programs write UTF-8 without saying so; what is none is in the old code page."""
    name = info.orig_filename
    if info.flag_bits & _UTF8:
        return name
    try:
        return name.encode("cp437").decode()
    except UnicodeError:
        return name
