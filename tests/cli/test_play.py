"""`dd play`: the page for this computer alone, and the dance in a terminal, which a small one of our own reads."""

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import SMALL_RUN

from deepdance.frames import Clip
from deepdance.interfaces import LatentStream
from deepdance.recipe import Recipe
from deepdance_cli.live.dance import BLOCK, RATE, LiveDance
from deepdance_cli.live.screen import ENTER, GREYS, LEAVE, Painter
from deepdance_cli.live.server import PageServer
from deepdance_cli.live.terminal import Controls

PAGE = "<!doctype html><title>é</title>"
PROGRAM = [sys.executable, "-m", "deepdance"]


# The page


@pytest.fixture
def server():
    with PageServer(PAGE) as server:
        yield server


def ask(server, path=None, method="GET", hosts=None):
    """The answer to one request, and its body."""
    hosts = [f"127.0.0.1:{server.port}"] if hosts is None else hosts

    def request():
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
            connection.putrequest(method, server.path if path is None else path, skip_host=True)
            for host in hosts:
                connection.putheader("Host", host)
            connection.endheaders()
            answer = connection.getresponse()
            return answer, answer.read()

    server.timeout = 10
    with ThreadPoolExecutor() as pool:
        answered = pool.submit(request)
        server.handle_request()
        return answered.result(20)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_the_page_is_at_its_address(server, name):
    answer, body = ask(server, hosts=[f"{name}:{server.port}"])
    assert (answer.status, body.decode()) == (200, PAGE)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert server.url == f"http://127.0.0.1:{server.port}{server.path}"


def test_what_the_page_is_asked_for_may_stand_behind_its_address(server):
    assert ask(server, f"{server.path}?transparent=1")[0].status == 200


def test_a_head_has_no_body(server):
    answer, body = ask(server, method="HEAD")
    assert (answer.status, body, answer.headers["Content-Length"]) == (200, b"", str(len(PAGE.encode())))


@pytest.mark.parametrize("path", ["/", "/x", "//", "/../etc/passwd", "http://127.0.0.1/"])
def test_nothing_else_is_there(server, path):
    answer, body = ask(server, path)
    assert answer.status == 404
    assert server.path.encode() not in body


def test_an_address_is_known_whole(server):
    assert [ask(server, path)[0].status for path in (server.path[:-1], server.path + "x", server.path + "/")] == [
        404
    ] * 3


def test_no_two_servers_share_an_address(server):
    with PageServer(PAGE) as other:
        assert other.path != server.path
    assert len(server.path) > 20


@pytest.mark.parametrize(
    "hosts", [[], ["evil.example"], ["127.0.0.1"], ["127.0.0.1:1"], ["evil.example:{port}"], ["localhost:{port}"] * 2]
)
def test_a_site_whose_name_leads_here_gets_nothing(server, hosts):
    answer, body = ask(server, hosts=[host.format(port=server.port) for host in hosts])
    assert answer.status == 421
    assert PAGE.encode() not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "NONE"])
def test_a_page_can_only_be_looked_at(server, method):
    assert ask(server, method=method)[0].status == 501


@pytest.mark.parametrize("path", [None, "/"])
def test_no_answer_is_kept_framed_or_told_of(server, path):
    headers = ask(server, path)[0].headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert "Python" not in headers["Server"]


def test_a_silent_visitor_stops_nobody(server):
    with closing(socket.create_connection(("127.0.0.1", server.port))):
        server.timeout = 10
        server.handle_request()
        assert ask(server)[0].status == 200


def test_a_server_ends_in_time_and_leaves_its_port(server):
    start = time.monotonic()
    server.serve(0.3)
    assert 0.3 <= time.monotonic() - start < 2
    server.server_close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


# A terminal


class Terminal:
    """Cells of what a `Painter` writes: glyph, ink, ground. Anything else it does not know raises."""

    TOKEN = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])|([^\x1b])")

    def __init__(self, rows, columns):
        self.cells = np.full((rows, columns), None, object)
        self.row = self.column = 0
        self.ink = self.ground = None
        self.moves = 0

    def write(self, text):
        end = 0
        for token in self.TOKEN.finditer(text):
            assert token.start() == end, text[end : token.start()]
            end = token.end()
            self.put(token[3]) if token[3] else self.obey(token[2], token[1])
        assert end == len(text)

    def put(self, glyph):
        self.cells[self.row, self.column] = (glyph, self.ink, self.ground)
        self.column += 1

    def obey(self, order, numbers):
        if order == "H":
            self.row, self.column = (int(number) - 1 for number in numbers.split(";"))
            self.moves += 1
        elif order == "J":
            self.cells[:] = None
        elif order == "K":
            self.cells[self.row, self.column :] = None
        elif order == "m":
            self.colour(numbers)
        else:
            assert (order, numbers) in [("h", "?2026"), ("l", "?2026")], (order, numbers)

    def colour(self, numbers):
        match numbers.split(";"):
            case ["38", "5", ink]:
                self.ink = int(ink)
            case ["48", "5", ground]:
                self.ground = int(ground)
            case _:
                assert numbers in ("0", "0;2"), numbers
                self.ink = self.ground = None

    def pixels(self):
        """Pairs of colours, the upper and the lower of each cell."""
        return [[(ground if glyph == " " else ink, ground) for glyph, ink, ground in row] for row in self.cells]


def draw_discs(count, size, seed=0):
    """Pictures of a disc that goes about, its outline grey."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    centres = np.cumsum(rng.normal(0, 2, (count, 2)), axis=0) + np.array(size) / 2
    distances = [np.hypot(y - row, x - column) - size[0] / 4 for row, column in centres]
    return np.stack([np.clip(128 + 64 * distance, 0, 255).astype(np.uint8) for distance in distances])


def test_differences_lead_to_the_same_screen_as_painting_it_whole():
    painter, screen = Painter(), Terminal(12, 40)
    for picture in [*draw_discs(40, (24, 40)), np.random.default_rng(0).integers(0, 256, (24, 40), np.uint8)]:
        screen.write(painter.paint(picture))
        whole = Terminal(12, 40)
        whole.write(Painter().paint(picture))
        assert screen.pixels() == whole.pixels()


def test_half_blocks_are_pixels_of_their_greys():
    picture = np.array([[0, 0, 255, 128], [0, 255, 0, 130]], np.uint8)
    screen = Terminal(1, 4)
    screen.write(Painter().paint(picture))
    black, white, grey = GREYS[0], GREYS[-1], GREYS[13]
    assert screen.pixels() == [[(black, black), (black, white), (white, black), (grey, grey)]]


def test_what_has_not_changed_is_not_written_again():
    painter, picture = Painter(), draw_discs(1, (24, 40))[0]
    whole = painter.paint(picture)
    assert painter.paint(picture) == ""
    changed = picture.copy()
    changed[7, 9], changed[7, 30] = 255 - changed[7, 9], 255 - changed[7, 30]
    screen = Terminal(12, 40)
    screen.write(whole)
    screen.moves = 0
    text = painter.paint(changed)
    screen.write(text)
    assert screen.moves == 2
    assert len(text) < 70


def test_without_colours_the_terminals_own_ink_draws():
    text = Painter(colours=False).paint(np.array([[0, 0, 255, 255], [0, 255, 0, 255]], np.uint8))
    assert text.endswith("\x1b[1;1H ▄▀█")
    assert "\x1b[38" not in text


def test_a_screen_of_another_size_is_painted_whole():
    painter = Painter()
    painter.paint(draw_discs(1, (24, 40))[0])
    text = painter.paint(draw_discs(1, (10, 20))[0])
    assert text.startswith("\x1b[0m\x1b[2J")
    screen = Terminal(5, 20)
    screen.write(text)
    assert all(cell is not None for cell in screen.cells.ravel())


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ("++", {"temperature": 1.2}),
        ("=", {"temperature": 1.1}),
        ("-" * 20, {"temperature": 0.0}),
        (["\x1b[A"] * 4, {"tempo": 2.0}),
        (["\x1bOB"] * 40, {"tempo": 0.25}),
        (["\x1b[A"] * 40, {"tempo": 4.0}),
        (["\x1b[C", "\x1b[C", "\x1bOD"], {"temperature": 1.1}),
        (" ", {"paused": True}),
        ("  ", {"paused": False}),
        ("x", {"dark_ink": True}),
        ("q", {"ended": True}),
        (["z", "\x1b[Z", "\x1b"], {"ended": False, "tempo": 1.0}),
    ],
)
def test_keys_change_the_dance(keys, value):
    controls = Controls(1.0)
    for key in keys:
        controls.press(key)
    assert {name: pytest.approx(getattr(controls, name)) for name in value} == value


def test_a_model_that_knows_no_temperature_is_not_said_to():
    assert "temperature 1.0" in Controls(1.0).describe()
    assert "temperature" not in Controls(1.0, fixed=True).describe()


# The dance


class Ramp(LatentStream):
    """Goes up by 1 with each keyframe, and jumps to 200 and back to 0 with each cut, after every ten."""

    def __init__(self):
        super().__init__()
        self.made = 0

    def advance(self, steps):
        numbers = np.arange(self.made, self.made + steps)
        self.made += steps
        latents = (numbers % 10 + 200 * (numbers // 10 % 2)).astype(np.float32)
        return latents[None, :, None], (numbers % 10 == 0)[None] & (numbers > 0)[None]


def make_run(seconds_a_picture=0.0):
    """A run whose pictures have the grey that the latents say."""

    def decode_at(latents, size):
        time.sleep(seconds_a_picture * len(latents))
        return np.broadcast_to(latents[:, :1, None], (len(latents), *size)).round().astype(np.uint8)

    return SimpleNamespace(
        recipe=Recipe(fps=5),
        latents=np.zeros((20, 1), np.float32),
        frames=SimpleNamespace(clips=[Clip(0, 20, "x", 5)]),
        model=SimpleNamespace(context=2, stream=lambda seed, **how: Ramp()),
        codec=SimpleNamespace(decode_at=decode_at),
        translate_misfit=lambda: closing(SimpleNamespace(close=lambda: None)),
    )


def show(dance, seconds, fps=30):
    """The grey of each picture, all decoded in time."""
    greys = []
    for _ in range(round(seconds * fps)):
        dance._next.result()
        greys.append(int(dance.advance(1 / fps)[0, 0]))
    return greys


def test_nothing_is_mixed_across_a_cut():
    with LiveDance(make_run(), (4, 6), seed=0) as dance:
        greys = show(dance, 12)
    assert {grey for grey in greys if 11 < grey < 198} == set()
    assert max(greys) > 200
    assert sum(abs(after - before) > 100 for before, after in pairwise(greys)) >= 4


def test_between_two_decoded_pictures_is_their_mixture():
    run, flicker = make_run(), np.arange(BLOCK, dtype=np.uint8)[:, None, None] % 2 * 200
    run.codec.decode_at = lambda latents, size: np.broadcast_to(flicker[: len(latents)], (len(latents), *size))
    with LiveDance(run, (4, 6), seed=0) as dance:
        assert [int(dance.advance(0.25 / RATE)[0, 0]) for _ in range(8)] == [50, 100, 150, 200, 150, 100, 50, 0]


def test_time_goes_on_evenly_from_block_to_block():
    with LiveDance(make_run(), (4, 6), seed=0) as dance:
        rising = show(dance, 1.9)  # the first shot: five keyframes a second, each one grey more
        assert rising == sorted(rising)
        assert rising[-1] == pytest.approx(8, abs=1)
        cuts = np.flatnonzero(np.abs(np.diff(show(dance, 4 * BLOCK / RATE))) > 100)
    assert len(cuts) >= 3
    assert np.abs(np.diff(cuts) - 60).max() <= 2  # each shot has ten keyframes


def test_a_codec_that_is_slow_shows_fewer_pictures_and_keeps_up():
    with LiveDance(make_run(seconds_a_picture=0.05), (4, 6), seed=0) as dance:
        assert 5 < dance._rate <= 10


def test_a_dance_waits_for_what_is_not_decoded_yet():
    with LiveDance(make_run(seconds_a_picture=0.01), (4, 6), seed=0) as dance:
        last = int(dance.advance(3600)[0, 0])
        assert int(dance.advance(3600)[0, 0]) == last


def test_a_resize_holds_for_what_is_decoded_already():
    with LiveDance(make_run(), (4, 6), seed=0) as dance:
        for size in [(8, 12), (2, 3)]:
            dance.resize(size)
            assert dance.advance(0.01).shape == size
        show(dance, 5)
        assert dance.advance(0.01).shape == (2, 3)


def test_what_a_model_raises_is_heard_of():
    run = make_run()
    with LiveDance(run, (4, 6), seed=0) as dance, pytest.raises(OSError, match="gone"):
        run.codec.decode_at = lambda latents, size: (_ for _ in ()).throw(OSError("gone"))
        for _ in range(200):
            show(dance, 0.1)


# The command


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, video):
    folder = tmp_path_factory.mktemp("played")
    models = ("--codec", "pca", "--seq", "ridge", "--name", "x")
    subprocess.run([*PROGRAM, "run", str(video), *models, *SMALL_RUN], cwd=folder, check=True, capture_output=True)
    return folder


class Played:
    """A command in a terminal of its own."""

    def __init__(self, folder, arguments, size, code=None, **env):
        self.master, self.slave = pty.openpty()
        self.resize(size)
        self.before = termios.tcgetattr(self.slave)
        command = [sys.executable, "-c", code] if code else PROGRAM
        self.process = subprocess.Popen(
            [*command, *arguments],
            cwd=folder,
            stdin=self.slave,
            stdout=self.slave,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "COLUMNS": "200", "LINES": "9", "TERM": "xterm-256color", **env},
        )
        self.text, self._decoder = "", codecs.getincrementaldecoder("utf-8")()

    def resize(self, size):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))

    def read(self, seconds=0.2):
        if select.select([self.master], [], [], seconds)[0]:
            self.text += self._decoder.decode(os.read(self.master, 1 << 16))

    def read_until(self, reached):
        deadline = time.monotonic() + 60
        while not reached():
            assert time.monotonic() < deadline, self.text[-300:]
            assert self.process.poll() is None, self.process.communicate()[1]
            self.read()

    def press(self, keys):
        os.write(self.master, keys.encode())

    def end(self):
        """Its exit code, and what it told; all is written that it wrote."""
        deadline = time.monotonic() + 60
        while self.process.poll() is None:
            assert time.monotonic() < deadline
            self.read()
        while select.select([self.master], [], [], 0)[0]:
            self.read()
        return self.process.returncode, self.process.communicate()[1]

    def assert_restored(self):
        assert self.text.count(ENTER) == self.text.count(LEAVE) == 1
        assert self.text.endswith(LEAVE)
        assert termios.tcgetattr(self.slave) == self.before

    def frames(self):
        """What was written as one."""
        return re.findall(r"\x1b\[\?2026h(.*?)\x1b\[\?2026l", self.text, re.DOTALL)


@pytest.fixture
def played(workspace):
    started = []

    def call(*arguments, size=(20, 60), **how):
        started.append(Played(workspace, ["play", "x", *arguments], size, **how))
        return started[-1]

    yield call
    for each in started:
        each.process.kill()
        each.process.wait()
        each.process.stderr.close()
        os.close(each.master)
        os.close(each.slave)


def test_in_a_terminal_somebody_dances(played):
    terminal = played("--terminal", "--seconds", "3")
    code, told = terminal.end()
    assert code == 0
    terminal.assert_restored()
    frames, screen = terminal.frames(), Terminal(20, 60)
    screens = []
    for frame in frames:
        screen.write(frame)
        screens.append(screen.cells[:19].copy())
    assert len(frames) > 30
    assert sum((before != after).any() for before, after in pairwise(screens)) > 20
    grounds = [GREYS.index(ground) for _, _, ground in screens[-1].ravel()]
    assert np.median(grounds) < len(GREYS) / 2 < max(grounds)  # a light dancer on a dark ground
    assert "q quit" in "".join(cell[0] for cell in screen.cells[19] if cell)
    rate, share = re.search(r"\d+ frames, ([\d.]+) a second, (\d+)% of a core\n$", told).groups()
    assert 5 < float(rate) <= 30.5  # 30 where two cores are free
    assert int(share) < 100


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_leaves_the_terminal_as_it_was(played, number):
    terminal = played("--terminal")
    terminal.read_until(lambda: len(terminal.frames()) > 5)
    terminal.process.send_signal(number)
    code, told = terminal.end()
    assert code == 128 + number
    assert told.count("\n") == told.count("dd: stopped") == 1
    terminal.assert_restored()


FAILS = """
from deepdance_cli.live.dance import LiveDance
from deepdance_cli.main import main
advance, count = LiveDance.advance, []

def fail(self, seconds):
    count.append(seconds)
    if len(count) > 5:
        raise RuntimeError("no more")
    return advance(self, seconds)

LiveDance.advance = fail
main()
"""


def test_a_crash_leaves_the_terminal_as_it_was(played):
    terminal = played("--terminal", code=FAILS)
    code, told = terminal.end()
    assert (code, len(terminal.frames())) == (2, 5)
    assert told.startswith("dd: unexpected RuntimeError: no more")
    terminal.assert_restored()


TALKS = """
import logging, os
from deepdance_cli.live.dance import LiveDance
from deepdance_cli.main import main
advance = LiveDance.advance

def talk(self, seconds):
    print("said")
    logging.getLogger("deepdance").warning("warned")
    os.write(2, b"below\\n")
    LiveDance.advance = advance
    return advance(self, seconds)

LiveDance.advance = talk
main()
"""


def test_what_is_said_meanwhile_is_told_at_the_end(played):
    terminal = played("--terminal", "--seconds", "1", code=TALKS)
    code, told = terminal.end()
    assert code == 0
    assert re.search("^said\nwarning: warned\nbelow\n\\d+ frames", told, re.MULTILINE)
    assert not any(word in terminal.text for word in ("said", "warned", "below"))
    terminal.assert_restored()


def test_keys_are_not_echoed_and_end_it(played):
    terminal = played("--terminal")
    terminal.read_until(lambda: len(terminal.frames()) > 5)
    terminal.press("+ zzz\x1a\x1b[A")
    terminal.read_until(lambda: "space go on" in terminal.text and "tempo 1.19" in terminal.text)
    terminal.press("q")
    code, told = terminal.end()
    assert (code, told.count("\n")) == (0, 1)
    assert "zz" not in terminal.text
    terminal.assert_restored()


def test_after_a_resize_the_dance_fills_the_terminal_at_once(played):
    terminal = played("--terminal")
    terminal.read_until(lambda: len(terminal.frames()) > 5)
    terminal.resize((40, 100))
    terminal.read_until(lambda: any("\x1b[2J" in frame for frame in terminal.frames()[1:]))
    (resized,) = [frame for frame in terminal.frames()[1:] if "\x1b[2J" in frame]
    screen = Terminal(40, 100)
    screen.write(resized)
    assert all(cell is not None for cell in screen.cells[:39].ravel())


def test_without_colours_it_dances_in_the_terminals_ink(played):
    terminal = played("--terminal", "--seconds", "1", NO_COLOR="1")
    assert terminal.end()[0] == 0
    assert "█" in terminal.text
    assert "\x1b[38" not in terminal.text
    terminal.assert_restored()


@pytest.mark.parametrize(
    ("env", "told"),
    [({"TERM": "dumb"}, "place its cursor, got TERM=dumb"), ({"PYTHONIOENCODING": "ascii"}, "takes UTF-8, got ascii")],
    ids=["dumb", "ascii"],
)
def test_a_terminal_that_cannot_show_it_is_told(played, env, told):
    terminal = played("--terminal", **env)
    code, err = terminal.end()
    assert (code, err.count("\n"), terminal.text) == (2, 1, "")
    assert told in err


@pytest.mark.parametrize("variables", [{"SSH_CONNECTION": "x"}, {"SSH_TTY": "x"}, {}], ids=["ssh", "tty", "no display"])
def test_where_no_browser_is_seen_it_wants_a_terminal(dd, monkeypatch, variables):
    hide_display(monkeypatch)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    result = dd("play")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "--terminal: expected a terminal to dance in, got none; give --seconds 10" in result.err


def hide_display(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("SSH_CONNECTION", "SSH_TTY", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


def test_so_many_seconds_are_danced_into_a_pipe(dd, workspace, monkeypatch):
    monkeypatch.setenv("LINES", "20")
    monkeypatch.setenv("COLUMNS", "60")
    result = dd("play", workspace / "workspace/runs/x", "--terminal", "--seconds", "0.5")
    assert result.code == 0
    assert ENTER not in result.out
    screen = Terminal(20, 60)
    screen.write(result.out)
    assert all(cell is not None for cell in screen.cells[:19].ravel())


@pytest.mark.parametrize("seen", [True, False], ids=["a display", "none"])
def test_the_page_that_is_served_is_the_players_own(dd, workspace, monkeypatch, seen):
    import webbrowser

    from deepdance_plugins.player import material
    from deepdance_plugins.player.page import build_page

    made = material.Material({"fps": 10, "note": "</script>"}, {"latents": np.zeros((2, 3), np.int8)})
    opened, served = [], []
    monkeypatch.setattr("deepdance_plugins.player.web.make_material", lambda run: made)
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr(PageServer, "serve", lambda server, seconds: served.append((server.page, seconds)))
    hide_display(monkeypatch)
    if seen:
        monkeypatch.setenv("DISPLAY", ":0")
    result = dd("play", workspace / "workspace/runs/x", "--browser", "--seconds", "0.5")
    assert result.code == 0
    assert served == [(build_page(*material.pack(made), title="x").encode(), 0.5)]
    assert "note </script>\n" in result.out
    (url,) = re.findall(r"^page (http://127\.0\.0\.1:\d+/\S+)$", result.out, re.MULTILINE)
    assert opened == [url] * seen


def test_a_page_ends_with_ctrl_c(workspace):
    with serve_page(workspace) as process:
        port = int(re.search(r":(\d+)/", process.stdout.readline())[1])
        with closing(socket.create_connection(("127.0.0.1", port))):  # who keeps silent holds nothing up
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=30)
    assert (process.returncode, told.count("dd: stopped")) == (130, 1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


SERVES = """
from deepdance_cli.main import main
from deepdance_plugins.player import web
web.make_page = lambda run, title: ("<!doctype html>", "")
main()
"""


def serve_page(workspace, *arguments, **env):
    """`dd play --browser` of a page that is quickly made, by a computer without a display."""
    quiet = {name: value for name, value in os.environ.items() if "DISPLAY" not in name}
    return subprocess.Popen(
        [sys.executable, "-c", SERVES, "play", "x", "--browser", *arguments],
        cwd=workspace,
        env={**quiet, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="a browser by BROWSER")
def test_a_browser_that_is_waited_for_gets_its_page(workspace, tmp_path):
    browser, got = tmp_path / "browser", tmp_path / "got"
    fetch = f"open({str(got)!r}, 'wb').write(urllib.request.urlopen(sys.argv[1], timeout=20).read())"
    browser.write_text(f"#!{sys.executable}\nimport sys, urllib.request\n{fetch}\n")
    browser.chmod(0o755)
    with serve_page(workspace, "--seconds", "5", DISPLAY=":0", BROWSER=f"{browser} %s") as process:
        _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (0, "")
    assert got.read_text() == "<!doctype html>"
