"""A trainer that keeps docs/trainer-contract.md in two dozen lines: its model is some numbers, its accuracy is looked up.

What else is in MODEL the server makes of it: see there.
"""

import hashlib
import json
import os
import pathlib

request = json.loads(os.environ["RETRAIN_REQUEST"])
message = pathlib.Path("/dev/termination-log")
if request["action"] == "validate":
    message.write_text(json.dumps({"reason": "DataPassed", "message": "", "warnings": []}))
    raise SystemExit(0)

home = pathlib.Path(request["artifacts"]["path"])
final = home / request["version"]
if not final.exists():
    partial = home / f".{request['version']}.partial"
    partial.mkdir(parents=True, exist_ok=True)
    model = {"accuracy": float(os.environ.get("ACCURACY", "0.9"))} | json.loads(os.environ.get("MODEL", "{}"))
    (partial / "model.json").write_text(json.dumps(model))
    with (home / "trainings.log").open("a") as log:
        log.write(f"{request['version']}\n")
    partial.rename(final)

model = (final / "model.json").read_text()
metrics = {"candidate": json.loads(model)}
champion = home / request["champion"]["version"] / "model.json" if request["champion"] else None
if champion and champion.exists() and "OMIT_CHAMPION" not in os.environ:  # what was adopted has no artifact
    metrics["champion"] = json.loads(champion.read_text())
digest = f"sha256:{hashlib.sha256(model.encode()).hexdigest()}"
artifact = f"{request['namespace']}/{request['policy']}/{request['version']}"
message.write_text(json.dumps({"version": request["version"], "artifact": artifact, "digest": digest, "metrics": metrics}))
