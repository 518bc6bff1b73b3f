from retrainer.core.template import TemplateSeen
from retrainer.templates import Templates

KEY = ("members", "churn")
POD = {
    "metadata": {"labels": {"app": "churn"}},
    "spec": {"containers": [{"name": "server", "env": [{"name": "GREETING", "value": "grüß dich"}]}]},
}
READ = TemplateSeen(generation=3, replicas=2, pod=POD, progress_deadline_s=60)


def test_a_template_comes_back_as_it_was_read() -> None:
    templates = Templates()
    templates.put(KEY, "uid-1", READ)
    assert templates.get(KEY, "uid-1", 3) == READ


def test_another_deployments_or_generations_template_is_not_taken_for_it() -> None:
    templates = Templates()
    templates.put(KEY, "uid-1", READ)
    assert templates.get(KEY, "uid-2", 3) is None
    assert templates.get(KEY, "uid-1", 4) is None
    assert templates.get(("members", "workload"), "uid-1", 3) is None
    templates.forget(KEY)
    assert templates.get(KEY, "uid-1", 3) is None
