"""Pages in headless Chromium, by Playwright. Where the one or the other is missing these tests skip, and say so."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from browser.pages import build_small_page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless browser of this machine."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install --editable '.[dev]'")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("needs Chromium, such as by apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Open an address in a window of its own: what it warns of, fails at, or asks for elsewhere fails the test."""
    contexts, wrong = [], []

    def open_address(address: str, *, may_fail: bool = False, **window: Any) -> Any:
        contexts.append(chromium.new_context(**window))
        page = contexts[-1].new_page()
        page.on("request", lambda request: None if is_own(request.url, address) else wrong.append(request.url))
        if not may_fail:
            page.on("console", lambda message: wrong.append(message.text))
            page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(address)
        return page

    yield open_address
    for context in contexts:
        context.close()
    assert not wrong


def is_own(url: str, address: str) -> bool:
    """Whether a request stays within the page or its own server."""
    one, other = urlsplit(url), urlsplit(address)
    same = (one.scheme, one.netloc) == (other.scheme, other.netloc)
    return one.scheme in ("blob", "data") or (same and (one.scheme != "file" or one.path == other.path))


@pytest.fixture(scope="session")
def dance_file(tmp_path_factory: pytest.TempPathFactory, silhouettes: np.ndarray) -> Path:
    """The page that `dd export web` writes, of a small dance."""
    path = tmp_path_factory.mktemp("page") / "dance.html"
    path.write_text(build_small_page(silhouettes), encoding="utf-8")
    return path
