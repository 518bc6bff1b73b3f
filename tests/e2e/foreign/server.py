"""A server that keeps docs/trainer-contract.md in two dozen lines; it answers every POST with its version."""

import json
import os
import pathlib
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

VERSION = os.environ["MODEL_VERSION"]
LABELS = f'{{model_type="{os.environ["MODEL_TYPE"]}",model_version="{VERSION}"}}'
MODEL = json.loads((pathlib.Path(os.environ["ARTIFACTS_PATH"]) / VERSION / "model.json").read_text())
draining = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answered = count(1)
    total = 0

    def do_GET(self) -> None:
        series = f"retrainer_predictions_total{LABELS} {Handler.total}\nretrainer_prediction_errors_total{LABELS} 0\n"
        self.answer(series if self.path == "/metrics" else "ready", "text/plain")

    def do_POST(self) -> None:
        Handler.total = next(self.answered)
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(json.dumps({"modelVersion": VERSION, **MODEL}), "application/json")

    def answer(self, text: str, kind: str) -> None:
        self.send_response(200)
        closing = {"Connection": "close"} if draining.is_set() else {}
        for name, value in {"Content-Type": kind, "Content-Length": str(len(text)), "X-Model-Version": VERSION, **closing}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())


def drain(*_: object) -> None:
    draining.set()
    threading.Timer(5, server.shutdown).start()


server = ThreadingHTTPServer(("", 8080), Handler)
signal.signal(signal.SIGTERM, drain)
server.serve_forever()
