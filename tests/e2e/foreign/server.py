"""A server that keeps docs/trainer-contract.md in few lines; it answers every POST with its version.

A model with `errors` answers as well as any other and counts each answer as an error; one with `crashesAfter` dies at so many answers.
BUILT_IN_MODEL is served where there is no artifact: what a team serves before it has a policy.
"""

import asyncio
import json
import os
import pathlib
import signal

DRAIN_SECONDS = 5
VERSION = os.environ["MODEL_VERSION"]
LABELS = f'{{model_type="{os.environ["MODEL_TYPE"]}",model_version="{VERSION}"}}'
FILE = pathlib.Path(os.environ["ARTIFACTS_PATH"]) / VERSION / "model.json"
MODEL = json.loads(FILE.read_text() if FILE.exists() else os.environ["BUILT_IN_MODEL"])
ANSWER = json.dumps({"modelVersion": VERSION, **MODEL})


class Server:
    def __init__(self) -> None:
        self.draining = asyncio.Event()
        self.answered = self.under_way = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        keep = True
        try:
            while keep:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                self.under_way += 1
                try:
                    keep = await self.answer(head, reader, writer)
                finally:
                    self.under_way -= 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the caller has left
        writer.close()

    async def answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request and return whether the connection is kept."""
        length = next((int(line.split(":")[1]) for line in head.splitlines() if line.startswith("content-length:")), 0)
        await reader.readexactly(length)
        text, kind = ANSWER, "application/json"
        if head.startswith("get "):
            text, kind = (self.series() if " /metrics " in head else "ready"), "text/plain"
        else:
            self.answered += 1
            if self.answered == MODEL.get("crashesAfter"):
                os._exit(1)
        keep = not self.draining.is_set() and "connection: close" not in head
        lines = ["HTTP/1.1 200 OK", f"Content-Type: {kind}", f"Content-Length: {len(text)}", f"X-Model-Version: {VERSION}"]
        lines += [] if keep else ["Connection: close"]
        writer.write(("\r\n".join(lines) + f"\r\n\r\n{text}").encode())
        await writer.drain()
        return keep

    def series(self) -> str:
        errors = self.answered if "errors" in MODEL else 0
        return f"retrainer_predictions_total{LABELS} {self.answered}\nretrainer_prediction_errors_total{LABELS} {errors}\n"

    async def serve(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.draining.set)
        listening = await asyncio.start_server(self.talk, "", 8080, backlog=512)
        await self.draining.wait()
        await asyncio.sleep(DRAIN_SECONDS)
        listening.close()
        while self.under_way:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(0.05)


asyncio.run(Server().serve())
