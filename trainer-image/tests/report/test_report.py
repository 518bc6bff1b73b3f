"""The report of a week: its figures, its anomalies, its page in a real browser, and where it goes."""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from playwright.sync_api import Browser, Page

from tests.browser import opened, running_browser
from tests.report.builders import CANDIDATE, CHAMPION, NAMESPACE, week
from tests.test_command_line import run
from trainer.daemon.postgres import Database
from trainer.monitor.totals import Counters

# The guide's `generateRetrainingReport`, word for word but for its parameter.
GUIDE = """
    SELECT
      model_type,
      model_version,
      AVG(confidence_score) as avg_confidence,
      AVG(response_time_ms) as avg_latency,
      COUNT(*) as prediction_count,
      COUNT(DISTINCT user_id) as unique_users
    FROM ml_predictions
    WHERE predicted_at > %s
    GROUP BY model_type, model_version
"""


@pytest.fixture(scope="module")
def objects(shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of policies and runs; their database holds the same week, as the monitor has counted it."""
    now = datetime.now(UTC)
    path = tmp_path_factory.mktemp("objects") / "objects.json"
    path.write_bytes(orjson.dumps(week(shared_database, now)))

    async def count() -> None:
        async with await Database(shared_database, "test").connect() as connection:
            await Counters().count(connection, frozenset({"churn_risk"}), now)

    # In a thread of its own: Playwright's loop runs in this one, and there are no two.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(count())).result()
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


def reported(url: str, objects: Path | None, *options: str, **environment: str) -> Any:
    """Run `trainer report` as a process; returns what it printed as JSON."""
    given = () if objects is None else ("--objects", str(objects))
    variables = {"DATABASE_URL": url, "POD_NAMESPACE": NAMESPACE, **environment}
    done = run("report", "--json", *given, *options, **variables)
    assert done.returncode == 0, done.stderr
    return orjson.loads(done.stdout)


@pytest.fixture(scope="module")
def page_url(shared_database: str, objects: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of the page of that week."""
    file = tmp_path_factory.mktemp("page") / "page.html"
    reported(shared_database, objects, "--page", str(file), "--time-zone", "Europe/Berlin")
    return file.as_uri()


def test_the_figures_are_those_of_the_guides_report(shared_database: str, objects: Path) -> None:
    told = reported(shared_database, objects)
    with psycopg.connect(shared_database) as connection:
        rows = connection.execute(GUIDE, (datetime.fromisoformat(told["since"]),)).fetchall()
    assert len(rows) == 2
    for model_type, version, confidence, latency, count, users in rows:
        [found] = [each for each in told["versions"] if each["modelVersion"] == version]
        assert (found["modelType"], found["predictions"], found["users"]) == (model_type, count, users)
        assert found["confidence"] == pytest.approx(confidence)
        assert found["latencyMs"] == pytest.approx(latency)


def test_the_95th_percentile_is_exact_to_a_percent(shared_database: str, objects: Path) -> None:
    told = reported(shared_database, objects)
    query = """select model_version, percentile_disc(0.95) within group (order by response_time_ms)
               from ml_predictions where predicted_at > %s group by 1"""
    with psycopg.connect(shared_database) as connection:
        for version, p95 in connection.execute(query, (datetime.fromisoformat(told["since"]),)).fetchall():
            [found] = [each for each in told["versions"] if each["modelVersion"] == version]
            assert found["latencyP95Ms"] == pytest.approx(p95, rel=0.01)


def test_anomalies_come_first_and_the_worst_of_them_before_the_others(shared_database: str, objects: Path) -> None:
    told = reported(shared_database, objects)["anomalies"]
    order = ["critical", "warning", "info"]
    severities = [order.index(each["severity"]) for each in told]
    assert severities == sorted(severities)
    sentences = "\n".join(each["message"] for each in told)
    assert f"{CANDIDATE} was rolled back" in sentences
    assert f"{CHAMPION}: member_age drifted" in sentences
    assert "union_tenure_years is missing in 25%" in sentences
    assert "shift_percentage added" in sentences
    # It serves no more: its run tells of it.
    assert f"{CANDIDATE}: average confidence" not in sentences
    text = run("report", "--objects", str(objects), DATABASE_URL=shared_database, POD_NAMESPACE=NAMESPACE).stdout
    assert text.index("WARNING") < text.index("churn_risk " + CHAMPION)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_shows_everything_and_needs_nothing(browser: Browser, page_url: str, scheme: Any) -> None:
    with opened(browser, page_url, scheme=scheme) as (page, wrong):
        _shows_the_week(page)
        _can_be_read(page, scheme)
    assert wrong == []


def _shows_the_week(page: Page) -> None:
    sections = page.locator("#anomalies, .model, #runs").all()
    heights = [box["y"] for section in sections if (box := section.bounding_box())]
    assert len(heights) == 3
    assert heights == sorted(heights)
    row = page.locator(f'.usage tr[data-version="{CHAMPION}"]')
    assert "2,800" in row.inner_text()
    assert re.search(r"8\d\.\d% \(8\d\.\d% to 8\d\.\d%\)", row.inner_text())
    plots = page.locator(".plot svg")
    assert plots.count() == 5
    for plot in plots.all():
        box = plot.bounding_box()
        assert box is not None
        assert box["width"] > 300
        assert box["height"] > 80
    assert page.locator(".plot").first.locator("rect").count() >= 9
    assert page.locator("svg .band").count() >= 2
    assert f"{CHAMPION}, " in (page.locator("svg circle title").first.text_content() or "")
    assert page.locator(".ledger tbody tr").count() == 3
    assert "RolledBack" in page.locator(".ledger").inner_text()


def _can_be_read(page: Page, scheme: str) -> None:
    """Text and its card differ as much as WCAG asks of text (4.5 to 1), and nothing is wider than the page."""
    colours = """() => [getComputedStyle(document.body).color,
                        getComputedStyle(document.querySelector('.card')).backgroundColor]"""
    text, card = (_luminance(colour) for colour in page.evaluate(colours))
    assert (text < card) is (scheme == "light")
    assert (max(text, card) + 0.05) / (min(text, card) + 0.05) > 4.5
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_page_fits_a_telephone(browser: Browser, page_url: str) -> None:
    with opened(browser, page_url, width=380) as (page, _):
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_each_run_has_the_guides_checklist_with_its_evidence(browser: Browser, page_url: str) -> None:
    with opened(browser, page_url) as (page, _):
        article = page.locator("#run-churn-risk-2")
        assert article.locator("h4").all_inner_texts() == ["BEFORE RETRAINING", "DURING RETRAINING", "AFTER RETRAINING"]
        items = {item.inner_text().split("\n")[0]: item for item in article.locator("li").all()}
        assert len(items) == 14
        marks = {title: item.get_attribute("class") for title, item in items.items()}
        assert [title for title, mark in marks.items() if mark != "done"] == ["No errors or warnings"]
        assert "accuracy 0.842" in items["Current model performance documented"].inner_text()
        assert "3.1 % of member_age missing" in items["No errors or warnings"].inner_text()
        assert "0.871, at least 0.85" in items["Accuracy meets or exceeds target"].inner_text()
        # What a trainer or an alert says is text, never markup.
        assert "ModelDrift fires <for> churn_risk" in article.inner_text()


def test_the_page_goes_beside_the_versions_under_its_day(shared_database: str, objects: Path, tmp_path: Path) -> None:
    for _ in range(2):
        told = reported(shared_database, objects, "--time-zone", "Pacific/Kiritimati", ARTIFACTS_PATH=str(tmp_path))
    day = datetime.fromisoformat(told["until"]) + timedelta(hours=14)
    assert told["page"] == f"{tmp_path}/reports/{day:%Y-%m-%d}.html"
    assert [path.name for path in (tmp_path / "reports").iterdir()] == [f"{day:%Y-%m-%d}.html"]


def test_a_dry_run_writes_no_page(shared_database: str, objects: Path, tmp_path: Path) -> None:
    assert reported(shared_database, objects, ARTIFACTS_PATH=str(tmp_path), DRY_RUN="true")["page"] is None
    assert list(tmp_path.iterdir()) == []


def test_without_an_api_server_the_database_is_reported_alone(shared_database: str, objects: Path) -> None:
    assert objects.exists()
    told = reported(shared_database, None)
    assert told["runs"] == []
    assert {each["modelVersion"] for each in told["versions"]} == {CHAMPION, CANDIDATE}


def test_a_platform_without_a_prediction_has_a_report(database: str, browser: Browser, tmp_path: Path) -> None:
    reported(database, None, "--page", str(tmp_path / "page.html"))
    with opened(browser, (tmp_path / "page.html").as_uri()) as (page, wrong):
        assert "Nothing unusual." in page.locator("#anomalies").inner_text()
    assert wrong == []


@pytest.mark.parametrize(
    ("options", "says"),
    [(("--time-zone", "Mars/Olympus"), "no time zone"), (("--objects", "/dev/null"), "--objects is not a list")],
)
def test_what_cannot_be_is_refused_with_a_sentence(database: str, options: tuple[str, ...], says: str) -> None:
    done = run("report", *options, DATABASE_URL=database)
    assert done.returncode == 43
    assert says in done.stderr


def _luminance(colour: str) -> float:
    """The relative luminance of `rgb(r, g, b)` by WCAG 2."""
    channels = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
