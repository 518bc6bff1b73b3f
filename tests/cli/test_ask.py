from retrainer.cli.ask import command_value
from retrainer.core import naming
from retrainer.core.phases import Phase
from tests.builders import CANDIDATE, NOW, a_run


def test_a_command_names_the_version_and_a_second_approval_is_another_command_than_the_first() -> None:
    used = [{"verb": "approve", "value": CANDIDATE, "at": NOW, "reason": "Taken"}]
    first, second = a_run(Phase.AWAITING_APPROVAL), a_run(Phase.AWAITING_APPROVAL, commands=used)
    assert command_value(first, naming.APPROVE, CANDIDATE) == CANDIDATE
    assert command_value(second, naming.APPROVE, CANDIDATE) == f"{CANDIDATE}@promotion"
    assert command_value(second, naming.PROMOTE, CANDIDATE) == CANDIDATE
