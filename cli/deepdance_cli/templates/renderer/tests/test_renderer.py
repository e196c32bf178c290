"""The contract of a renderer, and what this one promises besides."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from deepdance.testing import parametrize_with_checks

from my_renderer import COMPONENTS
from my_renderer.renderer import MyRenderer, MyRendererOptions

SVG = "{http://www.w3.org/2000/svg}"


@parametrize_with_checks(COMPONENTS[0])
def test_contract(check):
    check()


def draw(path, lengths, **options):
    """The picture of a square that moves right by a pixel a frame, in chunks of these lengths, at 10 a second."""
    frames = np.full((sum(lengths), 40, 60), 255, np.uint8)
    for number, frame in enumerate(frames):
        frame[10:20, number : number + 10] = 0
    chunks = np.split(frames, np.cumsum(lengths)[:-1])
    MyRenderer(MyRendererOptions(**options)).render(iter(chunks), 10, path)
    return ElementTree.parse(path).getroot()


def corners(picture):
    """The smallest x and the smallest y of each figure."""
    points = [re.findall(r"([\d.]+),([\d.]+)", path.get("d")) for path in picture.findall(f"{SVG}path")]
    return [[min(map(float, axis)) for axis in zip(*figure, strict=True)] for figure in points]


@pytest.mark.parametrize("lengths", [[30], [7, 0, 1, 22], [1] * 30])
def test_a_figure_every_so_often_whatever_the_chunks(tmp_path, lengths):
    picture = draw(tmp_path / "dance.svg", lengths, every=0.8, columns=4)
    assert np.allclose(corners(picture), [[0, 10], [68, 10], [136, 10], [204, 10]], atol=0.3)
    assert picture.get("viewBox").split() == ["0", "0", "240", "40"]


def test_figures_stand_in_rows(tmp_path):
    picture = draw(tmp_path / "dance.svg", [30], every=0.5, columns=2)
    assert np.allclose(corners(picture), [[0, 10], [65, 10], [10, 50], [75, 50], [20, 90], [85, 90]], atol=0.3)
    assert picture.get("viewBox").split() == ["0", "0", "120", "120"]
