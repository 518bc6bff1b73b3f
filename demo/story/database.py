"""The platform's Postgres, asked through its Pod."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from demo.story.kubectl import Kubectl

_PSQL = ("psql", "--username=platform", "--dbname=platform", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1")

# What became of each prediction, as the seeded world has it. A platform would learn it within weeks; here it takes a second.
_OUTCOMES = """
insert into ml_outcomes (prediction_id, actual, observed_at)
select p.id, t.churned::int, now() from ml_predictions p join world_truth t on t.member_id = p.user_id
where p.model_type = 'churn_risk' and p.predicted_at > now() - interval '2 minutes'
  and not exists (select from ml_outcomes o where o.prediction_id = p.id)
on conflict do nothing
\\watch 1
"""


class Database:
    """Runs SQL in the Pod of the StatefulSet `postgres`."""

    def __init__(self, kubectl: Kubectl, namespace: str) -> None:
        self._kubectl = kubectl
        self._exec = ("exec", "--stdin", f"--namespace={namespace}", "postgres-0", "--", *_PSQL)

    def ask(self, sql: str) -> Sequence[Sequence[str]]:
        """Return the rows that one statement answers, each column as text."""
        answer = self._kubectl(*self._exec, "--field-separator=\t", stdin=sql)
        return [line.split("\t") for line in answer.splitlines()]

    def write_outcomes(self, log: Path) -> "subprocess.Popen[str]":
        """Start writing each prediction's outcome, every second, until the returned process is ended."""
        with log.open("w") as file:
            process = subprocess.Popen(
                self._kubectl.command(*self._exec), stdin=subprocess.PIPE, stdout=file, stderr=subprocess.STDOUT, text=True
            )
        assert process.stdin is not None
        process.stdin.write(_OUTCOMES)
        process.stdin.flush()
        return process
