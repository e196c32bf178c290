"""Inputs that are addresses: from servers of this machine that behave, break off, stall, lie and lead astray."""

import logging
import os
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from servers import (
    answer_endlessly,
    answer_file,
    answer_redirect,
    answer_status,
    put_google_objects,
    put_objects,
    serve_google_store,
    serve_store,
    serve_web,
)

import deepdance
from deepdance import downloads, remote
from deepdance.errors import InputError, OptionError
from deepdance.events import Progress
from deepdance.folders import show_url
from deepdance.inputs import expand_inputs, open_source
from deepdance.plugins import discover
from deepdance.recipe import Recipe
from deepdance.remote import fetch_input, fetch_inputs
from deepdance.storage import measure_bytes

REGISTRY = discover()
CLIP = bytes(range(256)) * 400
STORED = ("b10.mp4", "b9.mp4", "notes.txt", ".hidden.mp4", "more/c.mp4")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv(downloads.FOLDER_VARIABLE, str(folder))
    monkeypatch.delenv(downloads.BOUND_VARIABLE, raising=False)
    monkeypatch.setattr(downloads, "PAUSE_SECONDS", 0.01)
    return folder


@pytest.fixture
def web():
    pytest.importorskip("aiohttp", reason="needs deepdance[remote]")
    pytest.importorskip("fsspec", reason="needs deepdance[remote]")
    with serve_web() as server:
        yield server


def fetch(*urls):
    return [Path(path) for path in fetch_inputs(REGISTRY, urls, lambda event: None)]


def fetch_error(*urls):
    with pytest.raises(InputError) as error:
        fetch(*urls)
    assert "\n" not in str(error.value)
    return str(error.value)


def await_part(cache, size):
    """Wait until so much of a file is kept."""
    for _ in range(3000):
        if any(path.stat().st_size >= size for path in cache.rglob(".part")):
            return
        time.sleep(0.01)


def list_whole(cache):
    files = [path for path in cache.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return [path for path in files if path.suffix != ".json"]


def test_a_file_is_fetched_once_and_named_as_it_was(web, cache):
    web.paths["/clips/my dance.mp4"] = web.paths["/clips/my%20dance.mp4"] = answer_file(CLIP)
    url = f"{web.address}/clips/my%20dance.mp4"
    events = []
    (first,) = fetch_inputs(REGISTRY, [url], events.append)
    assert Path(first).read_bytes() == CLIP
    assert Path(first).parts[-2:] == ("clips", "my_dance.mp4")
    assert Progress("download", len(CLIP), len(CLIP)) in events
    assert fetch(url) == [Path(first)]
    assert [status for _, _, status in web.asked] == [200, 304]
    assert list_whole(cache) == [Path(first)]


def test_four_files_are_fetched_at_once_and_told_in_one_sum(web):
    together, events = threading.Barrier(remote.AT_ONCE), []

    def answer(handler):
        together.wait(30)
        answer_file(CLIP)(handler)

    urls = [f"{web.address}/{name}.mp4" for name in "abcdcba"]
    web.paths |= {f"/{name}.mp4": answer for name in "abcd"}
    paths = fetch_inputs(REGISTRY, urls, events.append)
    assert [Path(path).stem for path in paths] == list("abcdcba")
    assert len(web.asked) == 4
    told = [event.done for event in events if isinstance(event, Progress)]
    assert told == sorted(told)
    assert told[-1] == 4 * len(CLIP)


def test_the_first_failure_stops_the_others_which_keep_their_parts(web, cache):
    half, torn = len(CLIP) // 2, threading.Event()

    def pause(handler):
        handler.start(200, ETag='"a"', Content_Length=len(CLIP))
        handler.wfile.write(CLIP[:half])
        torn.wait(30)
        for at in range(half, len(CLIP) - 1):  # until nobody reads on
            handler.wfile.write(CLIP[at : at + 1])
            time.sleep(0.01)

    def fail(handler):
        await_part(cache, half)
        answer_status(404)(handler)
        torn.set()

    web.paths |= {"/a.mp4": pause, "/b.mp4": fail}
    assert "b.mp4, got: no such file" in fetch_error(f"{web.address}/a.mp4", f"{web.address}/b.mp4")
    web.paths["/a.mp4"] = answer_file(CLIP, tag='"a"')
    assert fetch(f"{web.address}/a.mp4")[0].read_bytes() == CLIP
    assert web.asked[-1][1]["Range"].startswith("bytes=5")


def test_files_that_come_at_once_have_room_for_all_of_them(web, cache, monkeypatch):
    """What is still to come of one counts for the others."""
    both = threading.Barrier(2)

    def begin(handler):
        both.wait(30)
        handler.start(200, Content_Length=len(CLIP))
        handler.wfile.write(CLIP[:50_000])
        time.sleep(0.3)
        handler.wfile.write(CLIP[50_000:])

    web.paths |= {"/a.mp4": begin, "/b.mp4": begin}
    monkeypatch.setenv(downloads.BOUND_VARIABLE, str(1.5 * len(CLIP) / 1e9))
    assert "more than there is room for" in fetch_error(f"{web.address}/a.mp4", f"{web.address}/b.mp4")
    assert measure_bytes(cache) < 1.5 * len(CLIP)


def test_what_changes_is_fetched_anew_and_what_is_damaged_too(web):
    web.paths["/a.mp4"] = answer_file(CLIP)
    (path,) = fetch(f"{web.address}/a.mp4")
    web.paths["/a.mp4"] = answer_file(CLIP[::-1])
    assert fetch(f"{web.address}/a.mp4")[0].read_bytes() == CLIP[::-1]
    path.write_bytes(CLIP[:-1] + b"!")
    assert fetch(f"{web.address}/a.mp4")[0].read_bytes() == CLIP[::-1]


def test_a_download_that_breaks_off_goes_on_where_it_was(web, cache):
    web.paths["/a.mp4"] = answer_file(CLIP, breaks_after=30_000, times=2, await_bytes=partial(await_part, cache))
    assert fetch(f"{web.address}/a.mp4")[0].read_bytes() == CLIP
    assert [headers.get("Range") for _, headers, _ in web.asked] == [None, "bytes=30000-", "bytes=60000-"]


def test_one_that_breaks_off_too_often_keeps_no_half_file_under_its_name_and_the_next_command_goes_on(web, cache):
    keep = partial(await_part, cache)
    web.paths["/a.mp4"] = answer_file(CLIP, breaks_after=10_000, times=downloads.TRIES, await_bytes=keep)
    assert "run it again to go on" in fetch_error(f"{web.address}/a.mp4")
    assert list_whole(cache) == []
    assert fetch(f"{web.address}/a.mp4")[0].read_bytes() == CLIP
    assert web.asked[-1][1]["Range"] == "bytes=40000-"


@pytest.mark.parametrize("ranges", [True, False])
def test_one_that_changes_meanwhile_begins_again(web, cache, ranges):
    def change(handler):
        answer_file(CLIP, breaks_after=10_000, times=1, await_bytes=partial(await_part, cache))(handler)
        web.paths["/a.mp4"] = answer_file(CLIP[::-1], ranges=ranges)

    web.paths["/a.mp4"] = change
    assert fetch(f"{web.address}/a.mp4")[0].read_bytes() == CLIP[::-1]


def test_the_rest_of_another_version_is_not_put_to_the_first_part(web, cache):
    def lie(handler):
        if "Range" not in handler.headers:
            return answer_file(CLIP[::-1])(handler)
        start = int(handler.headers["Range"].removeprefix("bytes=").rstrip("-"))
        span = f"bytes {start}-{len(CLIP) - 1}/{len(CLIP)}"
        handler.start(206, ETag='"new"', Content_Range=span, Content_Length=len(CLIP) - start)
        handler.wfile.write(CLIP[::-1][start:])

    def begin(handler):
        keep = partial(await_part, cache)
        answer_file(CLIP, breaks_after=10_000, times=1, tag='"old"', await_bytes=keep)(handler)
        web.paths["/a.mp4"] = lie

    web.paths["/a.mp4"] = begin
    assert fetch(f"{web.address}/a.mp4")[0].read_bytes() == CLIP[::-1]


def test_a_length_that_is_a_lie_is_told(web, cache):
    def lie(handler):
        handler.start(200, Content_Length=2 * len(CLIP))
        handler.wfile.write(CLIP)
        handler.close_connection = True

    web.paths["/a.mp4"] = lie
    assert "run it again to go on" in fetch_error(f"{web.address}/a.mp4")
    assert list_whole(cache) == []


@pytest.mark.parametrize(
    ("status", "tries", "told"),
    [(404, 1, "no such file"), (403, 1, "may not be read"), (401, 1, "may not be read"), (500, 4, "the answer 500")],
)
def test_what_the_server_refuses_is_told_and_tried_again_only_where_that_may_help(web, status, tries, told):
    web.paths["/a.mp4"] = answer_status(status)
    message = fetch_error(f"{web.address}/a.mp4?X-Amz-Signature=sesame")
    assert told in message
    assert "sesame" not in message
    assert len(web.asked) == tries


@pytest.mark.parametrize("pause", [0.3, 5])
def test_a_download_that_stalls_or_trickles_is_given_up(web, monkeypatch, pause):
    monkeypatch.setattr(downloads, "STALL_SECONDS", 0.5)
    monkeypatch.setattr(remote, "STALL_SECONDS", 0.5)
    web.paths["/a.mp4"] = answer_endlessly(pause, b"x")
    began = time.monotonic()
    assert "less than 30000 bytes in 0.5 s" in fetch_error(f"{web.address}/a.mp4")
    assert time.monotonic() - began < 4


def test_an_endless_file_ends_at_the_bound(web, cache, monkeypatch):
    monkeypatch.setenv(downloads.BOUND_VARIABLE, "0.003")
    monkeypatch.setattr(downloads, "GRANTED", 1 << 20)
    web.paths["/a.mp4"] = answer_endlessly()
    assert "more than there is room for: " in fetch_error(f"{web.address}/a.mp4")
    assert measure_bytes(cache) < 3_100_000


def test_the_longest_unused_copies_give_way_but_none_that_is_wanted_or_in_use(web, cache, monkeypatch):
    for name in "abcd":
        web.paths[f"/{name}.mp4"] = answer_file(CLIP)
    monkeypatch.setenv(downloads.BOUND_VARIABLE, str(2.5 * len(CLIP) / 1e9))
    a, b, c, d = (f"{web.address}/{name}.mp4" for name in "abcd")
    (first,), (second,) = fetch(a), fetch(b)
    fetch(a)  # so that b is the longest unused
    (third,) = fetch(c)
    assert (first.exists(), second.exists()) == (True, False)
    assert "name fewer videos" in fetch_error(a, b, c)
    for path in (first, third):
        (path.parents[1] / f".used-by-{os.getppid()}").touch()
    assert "in use" in fetch_error(d)
    monkeypatch.setenv(downloads.BOUND_VARIABLE, "1")
    assert fetch(d)[0].read_bytes() == CLIP


def test_a_bound_that_is_none_is_told(monkeypatch):
    for text in ("much", "-1", "nan"):
        monkeypatch.setenv(downloads.BOUND_VARIABLE, text)
        with pytest.raises(OptionError, match="expected gigabytes above 0, such as 20"):
            fetch()


def test_redirects_lead_to_other_servers_but_never_to_files_or_private_addresses(web, monkeypatch, tmp_path):
    (tmp_path / "secret.mp4").write_bytes(CLIP)
    with serve_web("127.0.0.2") as other:
        other.paths["/b.mp4"] = answer_file(CLIP)
        web.paths["/a.mp4"] = answer_redirect(f"{other.address}/b.mp4")
        web.paths["/file.mp4"] = answer_redirect(f"file://{tmp_path}/secret.mp4")
        web.paths["/loop.mp4"] = answer_redirect("/loop.mp4")
        assert fetch(f"{web.address}/a.mp4")[0].read_bytes() == CLIP
        assert "leads to what is no web address" in fetch_error(f"{web.address}/file.mp4")
        assert "TooManyRedirects" in fetch_error(f"{web.address}/loop.mp4")
        asked = len(other.asked)
        monkeypatch.setattr(remote, "is_private", lambda address: address == "127.0.0.2")
        assert "leads to 127.0.0.2, a private address" in fetch_error(f"{web.address}/a.mp4")
        assert len(other.asked) == asked
        assert fetch(f"{other.address}/b.mp4")[0].read_bytes() == CLIP  # typed by the user, so it is meant


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fe80::1%lo"]
)
def test_addresses_of_this_machine_and_its_network_are_private(address):
    assert remote.is_private(address)
    assert not remote.is_private("8.8.8.8")
    assert not remote.is_private("::ffff:8.8.8.8")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ann:sesame@example.org/a.mp4", "https://example.org/a.mp4"),
        ("https://ann:se/same@example.org/a.mp4", "https://example.org/a.mp4"),
        ("s3://key:sesame@bucket/clips/", "s3://bucket/clips/"),
        ("https://example.org/a.mp4?sig=sesame#part", "https://example.org/a.mp4?…"),
        ("https://example.org:8080/@ann/a.mp4", "https://example.org:8080/@ann/a.mp4"),
        ("https://example.org/a\n.mp4", r"https://example.org/a\n.mp4"),
    ],
)
def test_addresses_are_shown_without_secrets(url, shown):
    assert show_url(url) == shown


def test_no_secret_is_told_logged_or_kept(web, cache, caplog, tmp_path):
    caplog.set_level(logging.DEBUG, "deepdance")
    web.paths["/a.mp4"] = answer_file(CLIP)
    address = web.address.replace("//", "//ann:sesame@")
    (path,) = fetch(f"{address}/a.mp4?token=alohomora")
    assert web.asked[0][1]["Authorization"].startswith("Basic ")
    told = fetch_error(f"{address}/no.mp4?token=alohomora") + caplog.text + str(path)
    kept = "".join(each.read_text() for each in cache.rglob("*.json"))
    with pytest.raises(InputError) as error:
        expand_inputs(REGISTRY, [f"{address}/a.mp4?token=alohomora"])
    for text in (told, kept, str(error.value)):
        assert "sesame" not in text and "alohomora" not in text
    assert '"url": "http://127.0.0.1' in kept


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("file:///etc/passwd", "name a file by its path"),
        ("zip://a.mp4::https://example.org/b.zip", "name a file by its path"),
        ("https://example.org/clips/", "name each file of a web server"),
        ("https://example.org/*.mp4", "name each file of a web server"),
        ("https://[::1/a.mp4", "expected the address of one file"),
        ("rtsp://camera/1", "check how it begins"),
    ],
)
def test_addresses_that_are_none_of_one_file_are_told(web, url, told):
    assert told in fetch_error(url)


def test_without_the_extra_one_line_tells_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setattr(remote, "find_spec", lambda name: None)
    assert "pip install 'deepdance[remote]'" in fetch_error("s3://bucket/a.mp4")


def test_paths_and_the_demo_stay_as_they_are():
    assert fetch_inputs(REGISTRY, ["demo", "clips/a.mp4"], lambda event: None) == ["demo", "clips/a.mp4"]


@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4", "list.ffconcat"])
def test_a_fetched_file_leads_nowhere(web, name, video):
    web.paths["/other.mp4"] = answer_file(video.read_bytes())
    playlist = f"#EXTM3U\n#EXTINF:1,\n{web.address}/other.mp4\n#EXT-X-ENDLIST\n"
    concat = f"ffconcat version 1.0\nfile '{web.address}/other.mp4'\n"
    web.paths[f"/{name}"] = answer_file((playlist if "m3u8" in name else concat).encode())
    (path,) = fetch(f"{web.address}/{name}")
    with pytest.raises(InputError):
        _, source = open_source(Recipe(), REGISTRY, str(path))
        list(source.frames(10, (24, 40)))
    assert [asked for asked, _, _ in web.asked] == [f"/{name}"]


def test_a_copy_gives_the_same_silhouettes_as_the_file(web, video, dd, tmp_path):
    web.paths["/dancer.mp4"] = answer_file(video.read_bytes())
    small = ("--remover", "threshold", "--size", "24x40", "--json")
    url = f"{web.address}/dancer.mp4"
    refused = dd("prepare", url, *small)
    assert refused.code == 2
    assert "--allow-remote" in refused.err
    assert web.asked == []
    fetched, local = dd("prepare", url, "--allow-remote", *small), dd("prepare", video, *small)
    assert fetched.code == local.code == 0
    places = [line for result in (fetched, local) for line in result.out.splitlines() if '"folder"' in line]
    assert places[0] == places[1]


def test_python_asks_too_before_it_fetches(web, video, tmp_path):
    web.paths["/dancer.mp4"] = answer_file(video.read_bytes())
    url = f"{web.address}/dancer.mp4"
    with pytest.raises(InputError, match="--allow-remote"):
        deepdance.run(url, workspace=tmp_path / "w")
    quick = {"codec": "pca", "sequence": "ridge", "remover": "threshold", "frames": 10, "size": (24, 40)}
    made = deepdance.run(url, allow_remote=True, workspace=tmp_path / "w", **quick)
    assert made.name == "dancer-pca-ridge"
    with pytest.raises(InputError, match="got the address"):
        made.extend(url, tmp_path / "no.mp4", 1)
    assert made.extend(url, tmp_path / "e.mp4", 1, allow_remote=True).is_file()


@pytest.fixture
def bucket(monkeypatch):
    pytest.importorskip("moto.server", reason="needs moto[s3], flask and flask-cors")
    pytest.importorskip("s3fs", reason="needs deepdance[remote]")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "sesame")
    with serve_store({f"bucket/clips/{name}": name.encode() * 100_000 for name in STORED}) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        yield address
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize("url", ["s3://bucket/clips/", "s3://bucket/clips"])
def test_a_folder_of_a_store_stands_for_its_videos_as_a_local_one_does(bucket, caplog, url):
    paths = fetch(url)
    assert [path.parts[-2:] for path in paths] == [("clips", "b9.mp4"), ("clips", "b10.mp4")]
    assert paths[0].read_bytes() == b"b9.mp4" * 100_000
    assert [record.message for record in caplog.records if record.name == "deepdance"] == [
        "clips: 2 of 4 files taken as videos or arrays; left out: .hidden.mp4 (hidden), notes.txt (unknown ending)"
    ]


def test_a_pattern_stands_for_what_it_matches_and_one_object_for_itself(bucket):
    assert [path.name for path in fetch("s3://bucket/clips/b*.mp4")] == ["b9.mp4", "b10.mp4"]
    assert [path.name for path in fetch("s3://bucket/*/more/*")] == ["c.mp4"]
    assert [path.name for path in fetch("s3://bucket/clips/b9.mp4")] == ["b9.mp4"]
    assert "got none" in fetch_error("s3://bucket/clips/*.mov")
    assert "no such file" in fetch_error("s3://bucket/clips/no.mp4")
    assert "s3://nowhere/" in fetch_error("s3://nowhere/*.mp4")
    with pytest.raises(InputError, match="expected one video, got the 2 at s3://bucket/clips/"):
        fetch_input(REGISTRY, "s3://bucket/clips/", lambda event: None)


def test_an_object_is_fetched_once_and_anew_when_it_changes(bucket):
    (path,) = fetch("s3://bucket/clips/b9.mp4")
    before = path.stat().st_mtime_ns
    assert fetch("s3://bucket/clips/b9.mp4") == [path]
    assert path.stat().st_mtime_ns == before
    put_objects(bucket, {"bucket/clips/b9.mp4": CLIP})
    assert fetch("s3://bucket/clips/b9.mp4")[0].read_bytes() == CLIP


def test_an_object_that_is_here_in_part_is_gone_on_with_unless_it_changes(bucket, monkeypatch):
    read = remote.StoredFile._read
    starts = []

    def break_off(self, start, version):
        starts.append(start)
        yield next(read(self, start, version))
        if len(starts) == 2:
            put_objects(bucket, {"bucket/long.npy": CLIP})
        raise ConnectionResetError

    long = CLIP * 30
    put_objects(bucket, {"bucket/long.npy": long})
    monkeypatch.setattr(downloads, "TRIES", 1)
    monkeypatch.setattr(remote.StoredFile, "_read", break_off)
    for _ in range(2):
        assert "run it again to go on" in fetch_error("s3://bucket/long.npy")
    assert starts == [0, remote.PIECE]
    monkeypatch.undo()
    monkeypatch.setenv("AWS_ENDPOINT_URL", bucket)
    assert fetch("s3://bucket/long.npy")[0].read_bytes() == CLIP


def test_credentials_of_a_store_are_never_told(bucket, cache, caplog):
    caplog.set_level(logging.DEBUG, "deepdance")
    fetch("s3://bucket/clips/b9.mp4")
    assert "sesame" not in caplog.text + "".join(each.read_text() for each in cache.rglob("*.json"))


@pytest.fixture
def google_bucket(monkeypatch):
    pytest.importorskip("gcp_storage_emulator", reason="needs gcp-storage-emulator")
    gcsfs = pytest.importorskip("gcsfs", reason="needs gcsfs")
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    with serve_google_store({f"bucket/clips/{name}": name.encode() * 100_000 for name in STORED}) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        yield address
    gcsfs.GCSFileSystem.clear_instance_cache()


def test_a_store_of_google_is_read_as_any_other(google_bucket, caplog):
    paths = fetch("gs://bucket/clips/")
    assert [path.parts[-2:] for path in paths] == [("clips", "b9.mp4"), ("clips", "b10.mp4")]
    assert paths[0].read_bytes() == b"b9.mp4" * 100_000
    assert "clips: 2 of 4 files taken" in caplog.text
    before = paths[0].stat().st_mtime_ns
    assert fetch("gs://bucket/clips/b*.mp4") == paths
    assert paths[0].stat().st_mtime_ns == before
    put_google_objects(google_bucket, {"bucket/clips/b9.mp4": CLIP})
    assert fetch("gs://bucket/clips/b9.mp4")[0].read_bytes() == CLIP
    assert "no such file" in fetch_error("gs://bucket/clips/no.mp4")


@pytest.mark.parametrize("flag", ["--from", "--music"])
def test_what_is_never_fetched_is_told_without_secrets(dd, flag):
    result = dd("run", flag, "https://ann:sesame@example.org/a.mp4?token=alohomora", "--allow-remote")
    assert result.code == 2
    assert "example.org/a.mp4" in result.err
    assert "sesame" not in result.err and "token" not in result.err
