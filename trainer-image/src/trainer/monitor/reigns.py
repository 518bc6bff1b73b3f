"""Who was champion after whom: what the ledger must say beyond what single runs know.

A run knows that its version was promoted, and that it was rolled back, but not who came back. That is whoever was
champion before, by the ledger and the entries that are about to be written: the same whether each flip was written when
it happened, or all of them after an outage.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from trainer.monitor.entries import ALL, RETURNED, ROLLED_BACK, AppendEntry
from trainer.monitor.objects import Policy

# What is written without a time happened when it is written, which is after everything that has one.
_NOW = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Reign:
    """Since when a version had all traffic; None after a champion's rollback, if who came back is unknown."""

    since: datetime
    version: str | None


class Reigns:
    """The champions of each model type, brought forward entry by entry in the order in which things happened."""

    def __init__(self, known: Mapping[str, Sequence[Reign]]) -> None:
        self._reigns = {model_type: list(reigns) for model_type, reigns in known.items()}

    def told(self, entry: AppendEntry) -> Iterator[AppendEntry]:
        """Yield the entry, and after a champion's rollback the one that says who came back."""
        yield entry
        reigns = self._reigns.setdefault(entry.model_type, [])
        if entry.weight == ALL:
            reigns.append(Reign(entry.at or _NOW, entry.version))
        elif entry.event == ROLLED_BACK and reigns and reigns[-1].version == entry.version:
            before = next((each.version for each in reversed(reigns) if each.version != entry.version), None)
            reigns.append(Reign(entry.at or _NOW, before))
            if before is not None:
                what = (before, RETURNED, entry.reason, entry.message, entry.run, entry.at, ALL)
                yield AppendEntry(entry.model_type, *what)

    def unexplained(self, policies: Iterable[Policy]) -> Iterator[AppendEntry]:
        """Yield an entry for each champion that no run accounts for: adopted, or put there by a person's command.

        A policy that was read before its champion was promoted still says who served until then, and since when.
        """
        for policy in policies:
            latest = next(reversed(self._reigns.get(policy.model_type, [])), None)
            since = policy.champion_since
            if policy.champion is None or (latest is not None and latest.version == policy.champion):
                continue
            if latest is not None and (since is None or since <= latest.since):
                if latest.version is not None:
                    continue
                since = None
            told = f"{policy.champion} serves by the status of {policy.name}"
            yield AppendEntry(policy.model_type, policy.champion, RETURNED, "FoundServing", told, "", since, ALL)
