"""The page as `dd play` serves it."""

from threading import Event, Thread

import pytest
from browser.pages import wait_until

from deepdance_cli.live.server import PageServer


@pytest.fixture
def served(dance_file):
    ended = Event()
    with PageServer(dance_file.read_text(encoding="utf-8")) as server:

        def serve():
            while not ended.is_set():
                server.serve(0.2)

        serving = Thread(target=serve)
        serving.start()
        yield server
        ended.set()
        serving.join()


@pytest.mark.parametrize("query", ["", "?transparent=1"])
def test_a_served_page_dances_as_one_from_the_disk_does(served, open_page, query):
    page = open_page(f"{served.url}{query}")
    wait_until(lambda: page.evaluate("globalThis.deepdance?.figures.frames > 10"), "it dances")
