"""What can go wrong with uploaded files as a whole; what is wrong with one of them is told beside its name."""

from collections.abc import Sequence
from typing import Final

from kijko.core.errors import Invalid, NotFound
from kijko.core.words import counted

_NAMED: Final = 3
_MOST_DETAILS: Final = 100


class FileNotFound(NotFound):
    """The project has no uploaded file with this id."""

    code = "FILE_NOT_FOUND"


class NothingUploaded(Invalid):
    """Send at least one file, in the field files."""

    def __init__(self) -> None:
        super().__init__(field="files")


class NothingKept(Invalid):
    """Not one file of the upload could be kept."""

    def __init__(self, refused: Sequence[tuple[str, str]]) -> None:
        """`refused`: each file's name, with the sentence why."""
        told = [f"{name}: {sentence}" if name.strip() else sentence for name, sentence in refused]
        count = "The file was not kept" if len(told) == 1 else f"None of the {counted(len(told), 'file')} was kept"
        some = " ".join(told[:_NAMED])
        if len(told) > _NAMED:
            some = f"{some.removesuffix('.')} ({len(told) - _NAMED:,} more in details)."
        super().__init__(
            f"{count}. {some}",
            field="files",
            details=[{"field": "files", "message": each} for each in told[:_MOST_DETAILS]],
        )
