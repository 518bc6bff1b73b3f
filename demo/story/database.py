"""The platform's Postgres, asked through its Pod."""

from collections.abc import Sequence

from demo.story.kubectl import Kubectl

_PSQL = ("psql", "--username=platform", "--dbname=platform", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1")


def psql(namespace: str) -> Sequence[str]:
    """Return kubectl's arguments for a session of psql in the Pod of the StatefulSet `postgres`."""
    return ("exec", "--stdin", f"--namespace={namespace}", "postgres-0", "--", *_PSQL)


class Database:
    """Runs SQL in the Pod of the StatefulSet `postgres`."""

    def __init__(self, kubectl: Kubectl, namespace: str) -> None:
        self._kubectl = kubectl
        self._namespace = namespace

    def ask(self, sql: str) -> Sequence[Sequence[str]]:
        """Return the rows that one statement answers, each column as text."""
        answer = self._kubectl(*psql(self._namespace), "--field-separator=\t", stdin=sql)
        return [line.split("\t") for line in answer.splitlines()]
