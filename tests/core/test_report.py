"""The page of a run: what is in it, that strangers' names stay text, and what it shows where things are missing."""

import base64
import hashlib
import io
import json
import os
import re
import shutil
from html.parser import HTMLParser

import av
import cv2
import numpy as np
import pytest
from conftest import SMALL, probe, write_video
from tracks import make_track, write_track

import deepdance
from deepdance import report
from deepdance.errors import InputError, OptionError
from deepdance.events import RunFinished, Warned
from deepdance.metrics.shapes import iou
from deepdance.report import charts, contents, page, pictures

MODELS = {"codec": {"name": "pca", "latent_dim": 8}, "sequence": "ridge", "size": SMALL, "remover": "threshold"}
GRU = {"name": "gru", "layers": 1, "units": 8, "epochs": 3}
SECTIONS = ["dance", "copying", "reconstruction", "training", "figures", "made"]


class Page(HTMLParser):
    """The text of each section, and what each tag's attributes say."""

    def __init__(self, text):
        super().__init__()
        self.source, self.section, self.text, self.tags = text, "", {"": ""}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "h2":
            self.section = dict(attributes)["id"]
            self.text[self.section] = ""

    def handle_data(self, data):
        self.text[self.section] += data

    def list(self, tag, attribute):
        return [attributes[attribute] for name, attributes in self.tags if name == tag and attribute in attributes]


def read(path):
    return Page(path.read_text(encoding="utf-8"))


def read_page(run):
    return read(run.folder / "report.html")


@pytest.fixture(scope="module")
def run(video, tmp_path_factory):
    """A run of a video whose sequence model is trained by epochs."""
    return deepdance.run(
        video, **{**MODELS, "sequence": GRU}, frames=60, name="own", workspace=tmp_path_factory.mktemp("reported")
    )


@pytest.fixture
def copy(run, tmp_path):
    """The same run in a workspace of its own, to be damaged."""
    shutil.copytree(run.folder.parents[1], tmp_path / "copy")
    return deepdance.open_run("own", workspace=tmp_path / "copy")


@pytest.fixture(scope="module")
def of_array(silhouettes, tmp_path_factory):
    return deepdance.run(silhouettes, **MODELS, frames=40, name="array", workspace=tmp_path_factory.mktemp("array"))


def test_a_run_leaves_a_page_with_each_section(run):
    shown = read_page(run)
    assert [section for section in shown.text if section] == SECTIONS
    assert run.name in shown.text[""]
    assert json.loads((run.folder / "run.json").read_text())["looks"] in shown.text[""]


def test_a_flag_in_its_sentence_is_never_broken():
    marked = page.mark_flags("It <b>; try --temperature 0.5 or a pop-up")
    assert marked == "It &lt;b&gt;; try <code>--temperature</code> 0.5 or a pop-up"


def test_its_dance_is_the_runs_own_video(run):
    (address,) = read_page(run).list("video", "src")
    assert base64.b64decode(address.partition("base64,")[2]) == run.video.read_bytes()


def test_source_and_silhouettes_are_as_long_as_the_dance(run):
    shown = read_page(run)
    canvases = [attributes for tag, attributes in shown.tags if tag == "canvas"]
    assert [float(each["data-count"]) / float(each["data-fps"]) for each in canvases] == [2.0, 2.0]
    assert "holds frames of the video" in re.sub(r"\s+", " ", shown.text["dance"])


def show_sprite(sprite):
    """The pictures `(n, h, w)` that a page shows one after the other, grey."""
    sheet = cv2.imdecode(np.frombuffer(base64.b64decode(sprite.address.partition("base64,")[2]), np.uint8), 0)
    rows = [np.split(row, sprite.columns, axis=1) for row in np.split(sheet, len(sheet) // sprite.height)]
    return np.array([picture for row in rows for picture in row][: sprite.count])


@pytest.mark.parametrize("fps", [12, 30])
def test_the_frames_beside_the_silhouettes_are_those_they_were_made_of(tmp_path, fps):
    black = np.zeros((90, 60, 100, 3), np.uint8)
    for number, frame in enumerate(black):
        frame[:] = 255
        frame[15:45, number : number + 10] = 0
    video = write_video(tmp_path / "moving.mp4", black, 30)
    models = {**MODELS, "size": (60, 100)}
    run = deepdance.run(video, **models, fps=fps, frames=60, workspace=tmp_path / "workspace")
    player = report.collect(run._session, run.name).player
    silhouettes, photos = (show_sprite(each) < 128 for each in (player.silhouettes, player.photos))
    places = [[int(np.flatnonzero(shown.any(axis=0))[0]) for shown in each] for each in (silhouettes, photos)]
    assert np.ptp(places[0]) > 40
    assert places[0] == places[1]


def test_its_figures_are_those_of_the_tables(run):
    text = read_page(run).text["training"]
    for row in run.table.as_table().shown.cells:
        for cell in row:
            assert cell in text


def test_its_reconstructions_are_the_best_the_median_and_the_worst(run):
    start = run._opened.evaluated_from
    truth, latents = run.silhouettes[start:], run.latents[start:]
    likeness = np.sort(iou(truth, run.codec.decode(latents)))
    assert len(likeness) < 48  # so all of them are compared
    told = re.findall(r"IoU\s+(\d\.\d+)", read_page(run).text["reconstruction"])
    wanted = [likeness[-1], likeness[len(likeness) // 2], likeness[0]]
    assert told == [f"{each:.3f}" for each in wanted]


def test_the_nearest_real_frame_is_named_with_its_distance(run):
    shown = report.collect(run._session, run.name)
    latents, dance = run.latents, np.load(run.folder / "dance.npy")
    assert len(shown.paths.pairs) == 8
    for pair in shown.paths.pairs:
        distances = np.linalg.norm(latents - dance[round(pair.seconds * 30)], axis=1)
        assert pair.distance == pytest.approx(distances.min(), abs=1e-3)
        assert pair.real_seconds == pytest.approx(distances.argmin() / run.recipe.fps)
    steps = np.linalg.norm(np.diff(latents, axis=0), axis=1)
    assert shown.paths.step == pytest.approx(steps.mean(), rel=1e-5)
    assert shown.paths.nearest == pytest.approx(np.median([pair.distance for pair in shown.paths.pairs]))
    text = read_page(run).text["copying"]
    assert f"{shown.paths.nearest:.3g} from the nearest" in text and f"{shown.paths.step:.3g} apart" in text


def test_a_training_by_epochs_has_its_curves_and_another_a_line(run):
    shown = read_page(run)
    titles = re.findall(r"sequence model gru: \w+", shown.text["training"])
    assert titles == ["sequence model gru: loss", "sequence model gru: accuracy"]
    assert "codec pca was not trained by epochs" in shown.text["training"]


def test_it_tells_what_was_read_and_made_by_what(run, video):
    text = read_page(run).text["made"]
    for told in (video.name, "200 × 120", "threshold", "Nothing was left out", 'name = "pca"', "numpy", "sequencegru"):
        assert told in text.replace("\n", "") or told in text


def test_it_needs_no_network_and_its_policy_forbids_it(run):
    shown = read_page(run)
    addresses = [*shown.list("img", "src"), *shown.list("video", "src")]
    assert addresses and all(address.startswith("data:") for address in addresses)
    assert not shown.list("a", "href") + shown.list("link", "href") + shown.list("script", "src")
    policy = next(a["content"] for tag, a in shown.tags if tag == "meta" and "http-equiv" in a)
    assert policy.startswith("default-src 'none'")
    for tag in ("style", "script"):
        text = shown.source.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        assert f"{tag}-src 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy


def test_each_picture_has_a_text(run):
    shown = read_page(run)
    images = [attributes for tag, attributes in shown.tags if tag == "img" and "hidden" not in attributes]
    drawings = [attributes for tag, attributes in shown.tags if tag in ("canvas", "svg", "video")]
    assert all(image["alt"] for image in images) and all(drawing["aria-label"] for drawing in drawings)


def test_made_again_it_is_the_same(run):
    before = (run.folder / "report.html").read_bytes()
    assert run.report() == run.folder / "report.html"
    assert (run.folder / "report.html").read_bytes() == before


def test_after_an_evaluation_its_tables_are_there_until_the_models_are_others(copy):
    assert "dd evaluate own" in read_page(copy).text["figures"]
    measured = copy.evaluate(frames=30, seeds=2)
    text = read_page(copy).text["figures"]
    for table in measured.tables.values():
        assert all(cell in text for row in table.shown.cells for cell in row)
    assert "real, held out" in text and "±" in text
    os.utime(copy.folder / "evaluation.json", (0, 0))
    copy.report()
    assert "dd evaluate own" in read_page(copy).text["figures"]


def test_a_run_of_before_there_were_reports_has_one(copy):
    record = json.loads((copy.folder / "run.json").read_text())
    old = {key: record[key] for key in ("name", "inputs", "artifacts", "status", "created", "video", "version")}
    before = (copy.folder / "report.html").read_text().replace(f". {page.mark_flags(record['looks'])}</p>", "</p>")
    (copy.folder / "run.json").write_text(json.dumps(old))
    for name in ("dance.npy", "report.html"):
        (copy.folder / name).unlink()
    copy.report()
    assert (copy.folder / "report.html").read_text() == before


@pytest.mark.parametrize("damage", ["cut", "empty", "nothing", "not a number"])
def test_a_dance_that_is_damaged_is_danced_again(copy, damage):
    before, path = (copy.folder / "report.html").read_text(), copy.folder / "dance.npy"
    latents = np.load(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "nothing":
        path.write_bytes(b"")
    else:
        np.save(path, latents[:0] if damage == "empty" else latents * np.nan)
    copy.report()
    assert (copy.folder / "report.html").read_text() == before


@pytest.mark.parametrize("text", ["", "{", '{"codec": 1}'])
def test_figures_that_are_damaged_are_told_of_and_left_out(copy, text, caplog, log):
    (copy.folder / "evaluation.json").write_text(text)
    copy.report()
    assert "dd evaluate own" in read_page(copy).text["figures"]
    assert "evaluation.json cannot be read; measure again: dd evaluate own" in caplog.text


@pytest.mark.parametrize("renderer", ["mp4", "gif"])
def test_a_dance_to_music_is_heard_and_told_of(tmp_path, renderer):
    track = write_track(tmp_path / "track.wav", make_track(120, 4)[0])
    models = {**MODELS, "sequence": "texture", "renderer": renderer, "render_size": (48, 80)}
    run = deepdance.run(music=track, **models, fps=10, workspace=tmp_path / "workspace")
    shown = read_page(run)
    sentence = json.loads((run.folder / "run.json").read_text())["music"]
    assert "beat alignment" in sentence and sentence in shown.text[""]
    assert measure_sound(shown) == pytest.approx(4, abs=0.1)
    track.unlink()
    run.report()
    assert measure_sound(read_page(run)) == (pytest.approx(4, abs=0.1) if renderer == "mp4" else 0)


def measure_sound(shown):
    """Seconds of sound in a page's dance, which nothing mutes."""
    ((_, video),) = [tag for tag in shown.tags if tag[0] == "video"]
    assert "muted" not in video
    with av.open(io.BytesIO(base64.b64decode(video["src"].partition("base64,")[2]))) as container:
        return sum(frame.samples / frame.rate for frame in container.decode(audio=0)) if container.streams.audio else 0


def test_of_several_videos_each_real_frame_is_named_with_its_own(silhouettes, tmp_path):
    for name in ("one", "two"):
        np.save(tmp_path / f"{name}.npy", silhouettes if name == "one" else silhouettes[:, :, ::-1])
    both = [tmp_path / "one.npy", tmp_path / "two.npy"]
    run = deepdance.run(both, **MODELS, frames=60, workspace=tmp_path / "workspace")
    assert re.search(r"real \d+\.\d s of (one|two)\.npy", read_page(run).text["copying"])


def test_a_video_that_is_gone_or_another_leaves_its_silhouettes(copy, tmp_path, video):
    record = json.loads((copy.folder / "run.json").read_text())
    (tmp_path / "other.mp4").write_bytes(video.read_bytes() + b"\0")
    for place in (tmp_path / "gone.mp4", tmp_path / "other.mp4"):
        record["inputs"] = [str(place)]
        (copy.folder / "run.json").write_text(json.dumps(record))
        copy.report()
        shown = read_page(copy)
        assert len(shown.list("canvas", "data-count")) == 1
        assert "holds frames of the video" not in re.sub(r"\s+", " ", shown.text["dance"])


@pytest.mark.parametrize("renderer", ["gif", "png", "svg"])
def test_of_another_renderer_the_dance_is_drawn_anew(silhouettes, tmp_path, renderer):
    run = deepdance.run(silhouettes, **MODELS, frames=30, renderer=renderer, workspace=tmp_path / "workspace")
    shown = read_page(run)
    (tmp_path / "shown.mp4").write_bytes(base64.b64decode(shown.list("video", "src")[0].partition("base64,")[2]))
    meta, frames = probe(tmp_path / "shown.mp4")
    assert (meta["fps"], len(frames), frames.shape[1:]) == (30, 30, (240, 400))
    assert f"the whole is {run.video.name}" in shown.text["dance"]


def test_a_run_of_an_array_shows_its_silhouettes_alone(of_array):
    shown = read_page(of_array)
    assert len(shown.list("canvas", "data-count")) == 1
    assert "none: silhouettes already" in shown.text["made"]


def test_a_codec_of_one_number(silhouettes, tmp_path):
    models = {**MODELS, "codec": {"name": "pca", "latent_dim": 1}}
    shown = read_page(deepdance.run(silhouettes, **models, frames=30, workspace=tmp_path))
    assert len(re.findall("apart on average", shown.text["copying"])) == 1


def test_nothing_held_out_is_told(silhouettes, tmp_path):
    shown = read_page(deepdance.run(silhouettes, **MODELS, frames=30, validation=0, workspace=tmp_path))
    assert "frames that were learned from" in shown.text["reconstruction"]


def test_strangers_names_stay_text(video, tmp_path):
    evil = tmp_path / "<img src=x onerror=alert(1)>\"'&{{7*7}}\u202e.mp4"
    evil.write_bytes(video.read_bytes())
    run = deepdance.run(evil, **MODELS, frames=30, name="evil", workspace=tmp_path / "workspace")
    record = json.loads((run.folder / "run.json").read_text())
    record["warnings"], record["looks"] = ["</script><script>alert(2)</script>"], "<b onclick=alert(3)>It</b>"
    (run.folder / "run.json").write_text(json.dumps(record))
    run.report()
    shown = read_page(run)
    assert not [a for _, a in shown.tags if any(name.startswith("on") for name in a) or a.get("src") == "x"]
    assert [tag for tag, _ in shown.tags].count("script") == 1
    assert "<img src=x onerror=alert(1)>\"'&{{7*7}}\\u202e.mp4" in shown.text["made"]
    assert "\u202e" not in shown.source


def test_what_was_warned_of_is_kept_and_told(video, tmp_path):
    run = deepdance.run(video, **MODELS, frames=30, temperature=0.5, workspace=tmp_path)
    assert "knows no --temperature" in read_page(run).text["made"]


def test_a_report_that_cannot_be_written_ends_no_run(silhouettes, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(report, "collect", lambda *_: 1 / 0)
    run = deepdance.run(silhouettes, **MODELS, frames=30, name="own", workspace=tmp_path, listen=[told.append])
    assert run.video.is_file() and not (run.folder / "report.html").exists()
    (warned,) = [event.message for event in told if isinstance(event, Warned)]
    assert "own: its report could not be written" in warned and "dd report own" in warned
    assert isinstance(told[-1], RunFinished)


def test_an_unfinished_run_has_no_report(of_array, tmp_path):
    shutil.copytree(of_array.folder.parents[1], tmp_path / "copy")
    run = deepdance.open_run("array", workspace=tmp_path / "copy")
    record = json.loads((run.folder / "run.json").read_text())
    (run.folder / "run.json").write_text(json.dumps({**record, "artifacts": {}, "status": "unfinished"}))
    with pytest.raises(InputError, match="run it again to go on"):
        run.report()


def test_several_runs_stand_beside_one_another(dd, run, of_array, tmp_path):
    result = dd("report", run.folder, of_array.folder, "--out", tmp_path / "both.html")
    assert (result.code, result.out) == (0, f"report {tmp_path / 'both.html'}\n"), result.err
    shown = read(tmp_path / "both.html")
    assert len(shown.list("video", "src")) == 2
    assert "own: gru" in shown.text["training"] and "array: ridge" in shown.text["training"]
    assert [section for section in shown.text if section] == SECTIONS


def test_of_one_run_it_is_made_in_its_folder(dd, copy):
    (copy.folder / "report.html").unlink()
    result = dd("report", "own", "--workspace", copy.folder.parents[1], "--json")
    assert json.loads(result.out) == {"report": str(copy.folder / "report.html")}
    assert read_page(copy).text["made"]


def test_a_name_of_another_ending_is_refused(dd, copy):
    result = dd("report", "own", "--workspace", copy.folder.parents[1], "--out", "page.pdf")
    assert result.code == 2 and "ends in .html" in result.err
    with pytest.raises(OptionError, match="ends in .html"):
        report.check_report(copy.folder / "page.pdf")


def test_whatever_is_filmed_a_page_stays_small():
    noise = np.random.default_rng(0).integers(0, 256, (150, 160, 280, 3), np.uint8)
    for frames, photo in ((noise, True), (noise[..., 0], False)):
        sprite = pictures.build_sprite(frames, 5.0, photo=photo)
        assert 0 < len(sprite.address) < 4 / 3 * pictures.MOST_BYTES + 100
        assert (sprite.count, sprite.width, sprite.height) == (150, 280, 160)


def test_a_page_of_the_largest_parts_has_room_for_its_small_pictures():
    assert 4 / 3 * (contents.MOST_EMBEDDED + 2 * pictures.MOST_BYTES) < 7.1e6


def test_a_large_silhouette_is_made_small():
    sprite = pictures.build_sprite(np.full((2, 480, 800), 255, np.uint8), 10.0)
    assert (sprite.height, sprite.width) == (160, 267)


def test_a_difference_tells_which_one_has_the_dancer():
    truth, decoded = np.array([[0, 0], [255, 255]], np.uint8), np.array([[0, 255], [0, 255]], np.uint8)
    colours = pictures.draw_difference(truth, decoded).reshape(4, 3).tolist()
    wanted = (pictures.BOTH, pictures.ONLY_SOURCE, pictures.ONLY_DECODED, pictures.NEITHER)
    assert colours == [list(colour) for colour in wanted]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 1, [0, 0.5, 1]), (0.93, 0.97, [0.93, 0.94, 0.95, 0.96, 0.97]), (1, 853, [500]), (-3, 5, [-2, 0, 2, 4])],
)
def test_ticks_are_round_numbers(low, high, ticks):
    assert charts.choose_ticks(low, high) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("low", "high", "ticks"), [(0.004, 0.3, [0.005, 0.01, 0.02, 0.05, 0.1, 0.2]), (1e-4, 1, [1e-4, 1e-3, 0.01, 0.1, 1])]
)
def test_ticks_of_a_loss_are_read_aloud(low, high, ticks):
    assert charts.choose_log_ticks(low, high) == pytest.approx(ticks)


def test_labels_do_not_touch_and_keep_their_order():
    spread = charts.spread_labels([100, 101, 30, 187], 12, 188)
    assert spread[2] < spread[0] < spread[1] < spread[3]
    assert np.diff(sorted(spread)).min() >= charts.LABEL_GAP
    assert max(spread) <= 188


def test_the_papers_results_stand_beside_its_own_models_alone():
    history = [{"loss": 0.1, "acc": 0.9}, {"loss": float("nan"), "acc": 0.95}, {"loss": 0.05, "acc": 0.96}]
    labels = [line.label for chart in charts.draw_curves("codec", "conv-ae", history) for line in chart.lines]
    assert labels == ["learned 0.05", "paper 0.007", "learned 0.96", "paper 0.964"]
    assert all(
        "paper" not in line.label for chart in charts.draw_curves("codec", "pca", history) for line in chart.lines
    )
    assert charts.draw_curves("codec", "conv-ae", history[:1]) == []


def test_values_that_never_change_are_drawn():
    (chart,) = charts.draw_curves("sequence", "gru", [{"acc": 0.0}, {"acc": 0.0}])
    assert "nan" not in chart.lines[0].points


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.43, "0.4 s"), (12, "12 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_times_are_as_people_say_them(seconds, text):
    assert page.format_seconds(seconds) == text
