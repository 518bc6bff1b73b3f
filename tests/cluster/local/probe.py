"""Asking a program over HTTP whether it is ready."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path


def probe(url: str, pki: Path | None = None, *, own_certificate: bool = False) -> Callable[[], str]:
    """Return a probe that returns nothing once `url` answers well, else what it says; it may raise OSError.

    With `pki` it asks as the administrator; `own_certificate` is for servers that made theirs up themselves.
    """
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if pki is not None:
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        if own_certificate:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        handlers.append(urllib.request.HTTPSHandler(context=context))
    opener = urllib.request.build_opener(*handlers)

    def ask() -> str:
        try:
            with opener.open(url, timeout=5):
                return ""
        except urllib.error.HTTPError as error:
            return _words(error.read()) or str(error)

    return ask


def _words(body: bytes) -> str:
    """Return an API error's message, or the checks of /readyz that fail."""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return " ".join(line for line in body.decode(errors="replace").splitlines() if line.startswith("[-]"))
