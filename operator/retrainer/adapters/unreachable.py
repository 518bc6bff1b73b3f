"""Why no connection came about, in words that hold no address and no credentials."""

import os

import aiohttp


def why(error: aiohttp.ClientConnectorError) -> str:
    """Return the system's word for it, e.g. `Connection refused`, or what TLS or the resolver said."""
    cause = error.os_error
    if isinstance(cause, ConnectionError) and cause.errno:  # its own text holds the address
        return os.strerror(cause.errno)
    return cause.strerror or type(cause).__name__
