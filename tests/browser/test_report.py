"""The page of a run in a browser: it plays in step, by mouse and keys, on a desk and on a phone."""

import re

import pytest
from browser.pages import find_violations, wait_until
from conftest import SMALL

import deepdance

MODELS = {"codec": {"name": "pca", "latent_dim": 8}, "sequence": "ridge", "size": SMALL, "remover": "threshold"}
WINDOWS = [(scheme, {"width": width, "height": 900}) for scheme in ("light", "dark") for width in (1280, 390)]
PLACES = "[...document.querySelectorAll('canvas')].map((each) => each.toDataURL())"


@pytest.fixture(scope="session")
def report_file(video, tmp_path_factory):
    """The report of a small run of a video that has been evaluated."""
    run = deepdance.run(video, **MODELS, frames=60, workspace=tmp_path_factory.mktemp("shown"))
    run.evaluate(frames=20, seeds=1)
    return run.folder / "report.html"


@pytest.fixture
def show(open_page, report_file):
    """Open the report and wait until it can be played."""

    def open_report(**window):
        page = open_page(report_file.as_uri(), **window)
        wait_until(lambda: page.locator("#controls").is_visible(), "the controls were there")
        return page

    return open_report


def read_time(page):
    return float(page.locator("#time").text_content().split()[0])


def test_it_plays_until_it_is_paused(show):
    page = show()
    before = page.evaluate(PLACES)
    page.locator("#play").click()
    wait_until(lambda: read_time(page) > 0.3, "it played")
    page.locator("#play").click()
    wait_until(lambda: page.locator("#play").text_content() == "Play", "it paused")
    after = page.evaluate(PLACES)
    assert len(after) == 2 and all(one != other for one, other in zip(before, after, strict=True))


def test_keys_play_and_step(show):
    page = show()
    page.keyboard.press("ArrowRight")
    wait_until(lambda: read_time(page) == 0.1, "it stepped")
    page.keyboard.press("Space")
    wait_until(lambda: page.locator("#play").text_content() == "Pause", "it played")
    page.keyboard.press("Space")
    page.keyboard.press("Home")
    wait_until(lambda: read_time(page) == 0, "it was at its beginning")


def test_the_slider_moves_all_of_it(show):
    page = show()
    before = page.evaluate(PLACES)
    page.locator("#scrub").fill("500")
    wait_until(lambda: read_time(page) == 1.0, "it was in the middle")
    wait_until(lambda: all(a != b for a, b in zip(before, page.evaluate(PLACES), strict=True)), "the sources moved")


@pytest.mark.parametrize(("scheme", "viewport"), WINDOWS)
def test_axe_finds_nothing_and_nothing_sticks_out(show, scheme, viewport):
    page = show(color_scheme=scheme, viewport=viewport)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not re.search(r"NaN|undefined", page.locator("main").inner_text())
    assert find_violations(page) == []
