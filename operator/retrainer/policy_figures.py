"""What `/metrics` shows of each policy. A thousand policies have eight thousand series: they are kept as plain values, named when asked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from typing_extensions import override

from retrainer.ports import Key

_POLICY = ("namespace", "policy")


@dataclass(slots=True)
class _Shown:
    ready: bool | None = None
    weight: int = 0
    share: float | None = None
    values: dict[str, float] = field(default_factory=dict)
    triggers: Mapping[str, tuple[str, str]] = field(default_factory=dict)


class PolicyFigures(Collector):
    """The gauges of all policies."""

    def __init__(self) -> None:
        self._shown: dict[Key, _Shown] = {}

    def show_policy(self, key: Key, *, ready: bool, candidate_weight: int) -> None:
        """Show a policy's state; the weight is in percent."""
        shown = self._of(key)
        shown.ready, shown.weight = ready, candidate_weight

    def show_share(self, key: Key, share: float | None) -> None:
        """Show the share of the requests (0 to 1) that the candidate was seen to answer; None outside a canary."""
        self._of(key).share = share

    def show_value(self, key: Key, trigger: str, value: float | None) -> None:
        """Show a trigger's live figure; None where there is none."""
        if value is not None:
            self._of(key).values[trigger] = value
        elif key in self._shown:
            self._shown[key].values.pop(trigger, None)

    def show_triggers(self, key: Key, triggers: Mapping[str, tuple[str, str]]) -> None:
        """Show state and reason of each of a policy's triggers."""
        self._of(key).triggers = triggers

    def forget(self, key: Key) -> None:
        """Take away all that is shown of a policy."""
        self._shown.pop(key, None)

    @override
    def collect(self) -> Iterator[GaugeMetricFamily]:
        ready = GaugeMetricFamily("retrainer_policy_ready", "Whether the policy is Ready", labels=_POLICY)
        weight = GaugeMetricFamily("retrainer_candidate_weight", "Percent of traffic asked for the candidate", labels=_POLICY)
        share = GaugeMetricFamily(
            "retrainer_candidate_observed_share_ratio",
            "Share of the requests since the step began that the candidate answered, as of the latest analysis; absent outside a canary",
            labels=_POLICY,
        )
        values = GaugeMetricFamily("retrainer_trigger_value", "A trigger's live figure", labels=[*_POLICY, "trigger"])
        states = GaugeMetricFamily(
            "retrainer_trigger_state", "1 for the state a trigger is in", labels=[*_POLICY, "trigger", "state", "reason"]
        )
        for key, shown in self._shown.items():
            if shown.ready is not None:
                ready.add_metric(key, shown.ready)
                weight.add_metric(key, shown.weight)
            if shown.share is not None:
                share.add_metric(key, shown.share)
            for trigger, value in shown.values.items():
                values.add_metric((*key, trigger), value)
            for trigger, told in shown.triggers.items():
                states.add_metric((*key, trigger, *told), 1)
        yield from (ready, weight, share, values, states)

    def _of(self, key: Key) -> _Shown:
        return self._shown.setdefault(key, _Shown())
