"""The bearer token in a file."""

import asyncio
from pathlib import Path

from retrainer.adapters.token_file import TokenFile


async def test_all_who_ask_at_once_at_first_are_told_the_token(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("secret\n", encoding="ascii")
    token = TokenFile(path)
    assert await asyncio.gather(*(token.read() for _ in range(5))) == ["secret"] * 5
