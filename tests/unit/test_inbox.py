"""Alerts as levels: what the latest word on each is, whoever tells it, and however late."""

from datetime import datetime, timedelta

import pytest

from retrainer.core.alert import Alert
from retrainer.inbox import Inbox
from tests.builders import NOW


def an_alert(name: str = "f1", *, began_s_ago: int = 0, heard_s_ago: int = 0, firing: bool = True, namespace: str = "members") -> Alert:
    labels = (("alertname", "ModelDrift"), ("namespace", namespace))
    return Alert(name, firing, labels, NOW - timedelta(seconds=began_s_ago), NOW - timedelta(seconds=heard_s_ago))


def heard(*words: Alert, now: datetime = NOW) -> Inbox:
    inbox = Inbox()
    for word in words:
        inbox.put([word], now)
    return inbox


def test_the_latest_word_on_an_episode_counts() -> None:
    fires, ends = an_alert(began_s_ago=60, heard_s_ago=50), an_alert(began_s_ago=60, firing=False)
    assert heard(fires, ends).of("members") == (ends,)
    assert heard(ends, fires).of("members") == (fires,), "of a pair that disagrees the one that spoke last"


@pytest.mark.parametrize("firing", [True, False])
def test_what_a_slower_instance_tells_of_an_older_episode_ends_no_younger_one(*, firing: bool) -> None:
    younger, older = an_alert(began_s_ago=60), an_alert(began_s_ago=600, firing=firing)
    assert heard(younger, older).of("members") == (younger,)
    assert heard(older, younger).of("members") == (younger,)


def test_an_alert_is_heard_in_its_own_namespace_and_elsewhere_only_where_the_administrator_says_so() -> None:
    ours, theirs = an_alert(), an_alert("f2", namespace="others")
    assert (heard(ours, theirs).of("members"), heard(ours, theirs).namespaces([theirs])) == ((ours,), {"others"})
    everywhere = Inbox(across_namespaces=True)
    everywhere.put([ours, theirs], NOW)
    assert (set(everywhere.of("members")), everywhere.namespaces([theirs])) == ({ours, theirs}, None)


def test_an_alert_that_nobody_repeats_is_forgotten_in_the_end() -> None:
    fortnight, longer = NOW + timedelta(days=14), NOW + timedelta(days=16)
    assert len(heard(an_alert(), an_alert("f2"), now=fortnight).of("members")) == 2
    assert heard(an_alert(), now=longer).of("members") == ()
