"""Curves of trainings: what is drawn, what is not, and what is said instead."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from deepdance.errors import InputError, OptionError
from deepdance.evaluation.curves import draw_curves, find_untrained

FALLING = [{"loss": 0.5 / n, "acc": 1 - 0.5 / n, "val_loss": 0.6 / n, "val_acc": 1 - 0.6 / n} for n in range(1, 6)]
ONCE = [{"loss": 0.1, "acc": 0.9}]
RUNS = {"first": {"codec": FALLING, "sequence": FALLING}, "second <&> $x$": {"codec": FALLING, "sequence": ONCE}}


def lines_of(svg, number):
    """How many lines of a colour there are, those of the key aside."""
    drawn = re.findall(rf'<path d="([^"]+)" clip-path=[^>]+stroke: {number}', svg)
    return len([path for path in drawn if path.count("L") == len(FALLING) - 1])


def test_an_svg_has_a_line_for_each_figure_that_was_noted(tmp_path):
    draw_curves(RUNS, tmp_path / "c.svg")
    svg = (tmp_path / "c.svg").read_text()
    texts = ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter() if "text" in element.tag]
    for told in ("codec: loss", "sequence model: accuracy", "epoch", "first", "second <&> $x$", "held out"):
        assert told in texts
    assert texts.count("the paper's result") == 1
    assert (lines_of(svg, "#1f77b4"), lines_of(svg, "#ff7f0e")) == (8, 4)
    draw_curves(RUNS, tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_text() == svg
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.svg", "c.svg"]


def test_it_is_no_wider_than_a_phone_shows_well(tmp_path):
    draw_curves(RUNS, tmp_path / "c.svg")
    root = ElementTree.fromstring((tmp_path / "c.svg").read_text())
    width = float(root.get("viewBox").split()[2])
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: ([\d.]+)px", (tmp_path / "c.svg").read_text())]
    assert min(sizes) * 390 / width >= 9


def test_a_png_has_both_colours_and_only_the_models_that_were_trained(tmp_path):
    import cv2

    draw_curves(RUNS, tmp_path / "two.png")
    draw_curves({"second": RUNS["second <&> $x$"]}, tmp_path / "one.png")
    two, one = (cv2.imread(str(tmp_path / name)).astype(int) for name in ("two.png", "one.png"))
    assert one.shape[0] < 0.7 * two.shape[0]
    for color in ((0xB4, 0x77, 0x1F), (0x0E, 0x7F, 0xFF)):
        assert (np.abs(two - color).sum(axis=2) < 30).sum() > 100


def test_epochs_are_whole_numbers(tmp_path):
    draw_curves({"two epochs": {"codec": FALLING[:2], "sequence": ONCE}}, tmp_path / "c.svg")
    texts = [element.text or "" for element in ElementTree.parse(tmp_path / "c.svg").iter() if "text" in element.tag]
    assert {"1", "2"} <= set(texts)
    assert "1.5" not in texts
    assert "1.2" not in texts


def test_the_same_curves_give_the_same_pdf(tmp_path):
    for name in ("a.pdf", "b.pdf"):
        draw_curves(RUNS, tmp_path / name)
    first = (tmp_path / "a.pdf").read_bytes()
    assert first.startswith(b"%PDF")
    assert b"CreationDate" not in first
    assert first == (tmp_path / "b.pdf").read_bytes()


def test_losses_below_zero_can_be_drawn(tmp_path):
    draw_curves({"mdn": {"codec": ONCE, "sequence": [{"loss": 1.0}, {"loss": -3.0}]}}, tmp_path / "c.svg")
    assert (tmp_path / "c.svg").stat().st_size > 1000


def test_what_has_no_curve_is_named():
    assert find_untrained(RUNS) == ["sequence model of second <&> $x$"]


def test_where_nothing_was_trained_by_epochs_there_is_no_picture(tmp_path):
    with pytest.raises(InputError, match="trained by epochs, got none in plain; conv-ae and lstm4 are"):
        draw_curves({"plain": {"codec": ONCE, "sequence": ONCE}}, tmp_path / "c.svg")
    with pytest.raises(OptionError, match=r"ends in \.svg, \.pdf or \.png, got .*c\.gif"):
        draw_curves(RUNS, tmp_path / "c.gif")
    assert not list(tmp_path.iterdir())
