"""A file that another process appends to, line by line."""

from collections.abc import Iterator
from pathlib import Path


class FollowedFile:
    """Yields the whole lines appended since the last look; the file may not be there yet, or may begin anew under its name."""

    def __init__(self, path: Path, *, from_end: bool = False) -> None:
        self._path = path
        self._inode = 0
        self._offset = 0
        self._rest = b""
        if from_end and path.exists():
            status = path.stat()
            self._inode, self._offset = status.st_ino, status.st_size

    def lines(self) -> Iterator[str]:
        """Return each complete line not returned before."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            status = self._path.stat()
            if status.st_ino != self._inode or status.st_size < self._offset:
                self._inode, self._offset, self._rest = status.st_ino, 0, b""
            file.seek(self._offset)
            appended = file.read()
        self._offset += len(appended)
        *whole, self._rest = (self._rest + appended).split(b"\n")
        for line in whole:
            yield line.decode()
