"""How many examples hypothesis tries: few in every run, many with `pytest tests/unit --hypothesis-profile=thorough`."""

from hypothesis import settings

settings.register_profile("quick", max_examples=25, stateful_step_count=25, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=1500, stateful_step_count=80, deadline=None)
settings.load_profile("quick")
