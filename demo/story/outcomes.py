"""`python -m demo.story.outcomes KUBECTL KUBECONFIG NAMESPACE`: every second, write what became of each prediction, until told to stop.

A platform would learn it within weeks; the seeded world knows at once.
"""

import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from demo.story.database import psql
from demo.story.kubectl import Kubectl

EVERY_SECONDS = 1.0
_OUTCOMES = """
insert into ml_outcomes (prediction_id, actual, observed_at)
select p.id, t.churned::int, now() from ml_predictions p join world_truth t on t.member_id = p.user_id
where p.model_type = 'churn_risk' and p.predicted_at > now() - interval '2 minutes'
  and not exists (select from ml_outcomes o where o.prediction_id = p.id)
on conflict do nothing;
"""


def main(arguments: Sequence[str]) -> int:
    """Feed one session of psql; it ends when its input does."""
    program, kubeconfig, namespace = arguments
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    kubectl = Kubectl(Path(program), Path(kubeconfig))
    with subprocess.Popen(kubectl.command(*psql(namespace)), stdin=subprocess.PIPE, text=True) as session:
        assert session.stdin is not None
        while session.poll() is None and not told.wait(EVERY_SECONDS):
            session.stdin.write(_OUTCOMES)
            session.stdin.flush()
        session.stdin.close()
        return session.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
