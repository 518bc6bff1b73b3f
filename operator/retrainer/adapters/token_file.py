"""A bearer token in a file that may be replaced at any time, as a mounted Secret is."""

import asyncio
from pathlib import Path


class TokenFile:
    """The token in `path`, read again when the file has changed; its directory entry is looked at no oftener than every `recheck_s`."""

    def __init__(self, path: Path, *, recheck_s: float = 1.0) -> None:
        self._path = path
        self._recheck_s = recheck_s
        self._checked_at = float("-inf")
        self._stamp: tuple[int, int, int] | None = None
        self._token = ""
        self._looking = asyncio.Lock()

    async def read(self) -> str:
        """Return the token without surrounding white space; empty when the file is missing, unreadable or empty."""
        async with self._looking:  # who comes while the file is being read waits for what is in it
            now = asyncio.get_running_loop().time()
            if now - self._checked_at >= self._recheck_s:
                await asyncio.to_thread(self._refresh)
                self._checked_at = now
            return self._token

    def _refresh(self) -> None:
        try:
            seen = self._path.stat()
            stamp = (seen.st_mtime_ns, seen.st_ino, seen.st_size)
            if stamp != self._stamp:
                self._token = self._path.read_text(encoding="ascii").strip()
                self._stamp = stamp
        except (OSError, UnicodeDecodeError):
            self._token, self._stamp = "", None
