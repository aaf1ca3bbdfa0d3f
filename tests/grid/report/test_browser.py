"""The page of a report in a real browser, without a network; skipped where there is no Chromium with its driver."""

import base64
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import expected_warnings
from reports import HOSTILE, LONG, make_results

from flt.grid.leaderboard.site import page_as_data, read_leaderboard
from flt.grid.report.document import document_of
from flt.grid.report.files import write_report
from flt.grid.report.page import page_of
from flt.grid.report.server import LivePage

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
WebDriverWait = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = [
    *expected_warnings,
    pytest.mark.skipif(not CHROMIUM or not DRIVER, reason="needs Chromium and chromedriver"),
]

AXE = Path(__file__).parents[2] / "helpers" / "axe.min.js"
FLAGS = (
    *("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"),
    *("disable-component-update", "disable-sync", "hide-scrollbars"),
)
DESKTOP, PHONE = (1280, 900), (360, 740)


class Page:
    """A browser that shows one page, with no network."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(f"return {script}", *arguments)

    def command(self, name: str, **settings: Any) -> Any:
        return self.driver.execute_cdp_cmd(name, settings)

    def look(self, size: tuple[int, int], scheme: str) -> None:
        """Sets the size of the window and the colour scheme; nothing moves."""
        self.command(
            "Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=False
        )
        features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        self.command(
            "Emulation.setEmulatedMedia", features=[{"name": name, "value": each} for name, each in features.items()]
        )

    def press(self, *keys: str) -> None:
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    @property
    def focus(self) -> str:
        """The words of the element that has the focus."""
        return str(self.run("document.activeElement.textContent.replace(/\\s+/g, ' ').trim()"))

    @property
    def violations(self) -> list[str]:
        """What axe-core finds wrong."""
        if not self.run("'axe' in window"):
            self.run(f"(() => {{ {AXE.read_text()} }})()")
        found = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(found =>"
            " done(found.violations.map(each => each.id + ': ' + each.nodes[0].html)))"
        )
        return list(found)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page of two grids, one of which has hostile labels."""
    folder = tmp_path_factory.mktemp("report")
    axes = {"rule": ["Krum", *HOSTILE], "attack": ["No attack", "Trim attack"]}
    grids = [make_results(folder / "usual", seeds=[0, 1, 2]), make_results(folder / "hostile", axes)]
    write_report(folder / "report.html", document_of(grids, "Two grids"))
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"user-data-dir={folder / 'profile'}"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options, webdriver.ChromeService(DRIVER)) as driver:
        page = Page(driver)
        page.command("Network.enable")
        page.command(
            "Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0
        )
        page.look(DESKTOP, "light")
        driver.get((folder / "report.html").as_uri())
        yield page
        log = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
        sent = [each["params"] for each in log if each["method"] == "Network.requestWillBeSent"]
        local = [each for each in sent if each["documentURL"].startswith("file:")]
        assert local[0]["request"]["url"].endswith("/report.html")
        further = [each["request"]["url"] for each in local if each["type"] != "Document"]
        assert [url for url in further if not url.startswith("data:")] == []
        assert driver.get_log("browser") == []


def column(page: Page, number: int) -> list[str]:
    """The words of a column of the first heat map, from the top."""
    script = (
        "[...document.querySelector('.matrix').tBodies[0].rows].map(row => row.cells[arguments[0]].textContent.trim())"
    )
    return list(page.run(script, number))


def test_sorting_by_keyboard(page: Page) -> None:
    before = column(page, 0)
    page.run("document.querySelectorAll('.matrix .sort')[2].focus()")
    page.press("\ue007")  # Enter
    rates = [float(text.split()[0]) for text in column(page, 2)]
    assert rates == sorted(rates)
    page.press("\ue007")
    assert [float(text.split()[0]) for text in column(page, 2)] == rates[::-1]
    assert page.run("document.querySelectorAll('.matrix th')[2].ariaSort") == "descending"
    page.run("document.querySelector('.matrix .sort').click()")
    assert column(page, 0) == before == ["FedAvg", "FLTrust", "Krum"]


def test_a_cell_is_opened_and_left_by_keyboard_alone(page: Page) -> None:
    page.run("document.querySelectorAll('.matrix .sort')[4].focus()")
    page.press("\ue004")  # Tab, which stops once in the table
    first = page.focus
    page.press("\ue014", "\ue014", "\ue015")  # right, right, down: FLTrust under the Scaling attack
    cell = page.focus
    page.press("\ue007")
    assert page.focus == "FLTrust · Scaling attack"
    text = page.run("document.getElementById('cell').textContent")
    for words in ("0.700", "seed 2", "Against FedAvg over the same seeds", "flt fit", "rate", "mean weight"):
        assert words in text
    assert page.run("document.querySelectorAll('#cell canvas').length") == 2
    command = page.run("document.getElementById('command').textContent")
    assert (
        command
        == "flt fit --trainer.max_steps=100 --trainer.devices=1 --aggregation=callbacks.FedAvg --seed_everything=0"
    )
    assert page.violations == []
    page.press("\ue00c")  # Escape
    assert not page.run("document.getElementById('cell').open")
    assert (page.focus, cell != first) == (cell, True)


def test_published_values_are_beside_measured_ones(page: Page) -> None:
    page.run("document.querySelector('.matrix td button').click()")
    rows = page.run("[...document.querySelectorAll('#cell tbody tr')][0].textContent")
    assert rows == "testing error rate0.035±0.0050.0300.0350.0400.05-0.015"
    page.run("document.querySelector('.close').click()")


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "light"), (PHONE, "dark")])
def test_every_look_is_accessible_and_does_not_scroll_sideways(page: Page, size: Any, scheme: str) -> None:
    page.look(size, scheme)
    assert page.violations == []
    assert page.run("document.documentElement.scrollWidth") <= size[0]
    background = page.run("getComputedStyle(document.documentElement).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")


def test_hostile_labels_are_shown_as_text(page: Page) -> None:
    page.look(DESKTOP, "light")
    shown = page.run("[...document.querySelectorAll('#grid-1 .matrix tbody th')].map(each => each.textContent)")
    assert shown == ["Krum", *HOSTILE]
    page.run("document.querySelector('#grid-1 .matrix tbody tr:nth-child(4) button').click()")
    assert page.focus == f"{' '.join(LONG.split())} · No attack"
    page.run("document.querySelector('.close').click()")


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "dark"), (PHONE, "light")])
def test_the_leaderboard(page: Page, tmp_path: Path, size: Any, scheme: str) -> None:
    """Its entries in their order, each with the hashes of its models; to be used by keyboard, on a phone as well."""
    found = page_as_data(read_leaderboard(Path(__file__).parents[3] / "leaderboard"))
    (tmp_path / "page.html").write_text(page_of(found, template="leaderboard.html.j2"))
    page.look(size, scheme)
    page.driver.get((tmp_path / "page.html").as_uri())
    rules = page.run("[...document.querySelector('.ranking').tBodies[0].rows].map(row => row.cells[0].textContent)")
    assert rules == [place["rule"] for place in found["grids"][0]["places"]]
    page.run("document.querySelector('.ranking td button').focus()")
    page.press("\ue007")
    states = found["grids"][0]["cells"][found["grids"][0]["places"][0]["worst"]["cell"]]["states"]
    assert {*states.values()} <= {
        *page.run("[...document.querySelectorAll('#cell code')].map(each => each.textContent)")
    }
    assert page.violations == []
    assert page.run("document.documentElement.scrollWidth") <= size[0]


def test_the_page_of_a_grid_follows_it(page: Page, tmp_path: Path) -> None:
    """What a reader has done to it stays: an open cell, the order of a table."""
    results = make_results(tmp_path)
    first = replace(results, rows=results.rows[:2], left=16)
    page.command(
        "Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1
    )
    wait = WebDriverWait(page.driver, 20)
    with LivePage(0) as live:
        live.show(first)
        page.driver.get(live.address)
        wait.until(lambda _: "2 of 18 runs are finished" in page.run("document.getElementById('live').textContent"))
        page.run("document.querySelectorAll('.matrix .sort')[1].click()")
        page.run("document.querySelector('.matrix td button').click()")
        live.show(results)
        wait.until(lambda _: len(page.run("document.querySelectorAll('.matrix td button.cell')")) == 12)
        assert page.run("document.querySelectorAll('.matrix th')[1].ariaSort") == "ascending"
        assert page.run("document.getElementById('cell').open")
    wait.until(lambda _: "The grid has ended" in page.run("document.getElementById('live').textContent"))


def test_printing(page: Page) -> None:
    content = base64.b64decode(page.command("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert content.startswith(b"%PDF")
    assert 1 <= content.count(b"/Type /Page\n") <= 6
