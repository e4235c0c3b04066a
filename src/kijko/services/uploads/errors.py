"""What can go wrong with uploaded files as a whole; what is wrong with one of them is told beside its name."""

from kijko.core.errors import Invalid, NotFound


class FileNotFound(NotFound):
    """The project has no uploaded file with this id."""

    code = "FILE_NOT_FOUND"


class NothingUploaded(Invalid):
    """Send at least one file, in the field files."""

    def __init__(self) -> None:
        super().__init__(field="files")
