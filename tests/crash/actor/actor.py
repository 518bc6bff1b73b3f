"""A trainer that asks what becomes of it, a monitor that only runs, or a server that answers everything with its version."""

import http.client
import json
import os
import pathlib
import signal
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PROMPTER_PORT = 20_999
_EVERYWHERE = "00000000"


def gateway() -> str:
    """Return the address of the node, where the prompter is."""
    routes = (line.split() for line in pathlib.Path("/proc/net/route").read_text().splitlines())
    way = next(fields[2] for fields in routes if fields[1] == _EVERYWHERE)
    return socket.inet_ntoa(bytes.fromhex(way)[::-1])


def train(request: str) -> int:
    """Ask what becomes of a training pod, and return how it exits; the answer may be long in coming."""
    connection = http.client.HTTPConnection(gateway(), PROMPTER_PORT)
    connection.request("POST", "/", request)
    told = json.load(connection.getresponse())
    pathlib.Path("/dev/termination-log").write_text(told["message"])
    return int(told["exitCode"])


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("X-Model-Version", os.environ.get("MODEL_VERSION", "none"))
        self.send_header("Content-Length", "0")
        self.end_headers()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    if "migrate" in sys.argv:
        sys.exit(0)
    if "RETRAIN_REQUEST" in os.environ:
        sys.exit(train(os.environ["RETRAIN_REQUEST"]))
    ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Server).serve_forever()
