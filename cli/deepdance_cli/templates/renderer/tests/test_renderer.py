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


def figures(path, lengths, **options):
    """The paths drawn of a square that moves right by a pixel a frame, in chunks of these lengths, at 10 a second."""
    frames = np.full((sum(lengths), 40, 60), 255, np.uint8)
    for number, frame in enumerate(frames):
        frame[10:20, number : number + 10] = 0
    chunks = np.split(frames, np.cumsum(lengths)[:-1])
    MyRenderer(MyRendererOptions(**options)).render(iter(chunks), 10, path)
    return ElementTree.parse(path).getroot().findall(f"{SVG}g/{SVG}path")


@pytest.mark.parametrize("lengths", [[30], [7, 0, 1, 22], [1] * 30])
def test_a_figure_every_so_often_whatever_the_chunks(tmp_path, lengths):
    drawn = figures(tmp_path / "dance.svg", lengths, every=0.8)
    lefts = [min(float(x) for x in re.findall(r"([\d.]+),", path.get("d"))) for path in drawn]
    assert lefts == pytest.approx([0, 8, 16, 24], abs=0.3)


def test_the_opacity_is_the_one_asked_for(tmp_path):
    figures(tmp_path / "dance.svg", [3], opacity=0.4)
    (group,) = ElementTree.parse(tmp_path / "dance.svg").getroot().findall(f"{SVG}g")
    assert group.get("fill-opacity") == "0.4"
