"""Figures as part of the page: text stays text, ids are unique, nothing that loads or runs comes along."""

import html
import re

import pytest

from analysis.canvas import PALETTE, Drawing, finish, panels, rules
from analysis.inline_svg import SvgInliner

NAME = '<b>$x$ & "新" 😀</b>'


@pytest.fixture(scope="module")
def drawing() -> Drawing:
    with rules():
        figure, (axis,) = panels(1, ["a"])
        axis.plot([1, 2, 3], [1.25, 2.5, 3], color=PALETTE[1], marker="o")
        axis.plot([1, 2], [3, 1], color=PALETTE[0], marker="s", linestyle="none")
        axis.set_title(NAME)
        return finish(figure, "f", "caption")


def test_names_are_text_and_escaped(drawing: Drawing) -> None:
    page = SvgInliner().inline(drawing.svg, 'a "caption" <here>')
    assert NAME in [html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", page)]
    assert html.unescape(re.findall(r'aria-label="([^"]*)"', page)[0]) == 'a "caption" <here>'


def test_every_point_is_drawn_and_round_ones_are_one_path(drawing: Drawing) -> None:
    page = SvgInliner().inline(drawing.svg, "")
    (dots,) = re.findall(r'd="((?:M[^"]*?h0)+)"', page)
    assert dots.count("h0") == 3
    squares = re.findall(r"<g[^>]*>((?:<use[^>]*/>)+)</g>", page)
    assert [group.count("<use") for group in squares if group.count("<use") == 2] == [2]


def test_colours_are_those_of_the_page(drawing: Drawing) -> None:
    inliner = SvgInliner()
    inliner.inline(drawing.svg, "")
    css = inliner.css()
    assert "var(--c0)" in css
    assert "var(--c1)" in css
    assert "currentColor" in css
    assert not re.search(r"#[0-9a-fA-F]{6}", css)
    assert "font-family" not in css


def test_ids_of_two_figures_never_meet_and_links_lead_to_them(drawing: Drawing) -> None:
    inliner = SvgInliner()
    page = inliner.inline(drawing.svg, "") + inliner.inline(drawing.svg, "")
    ids = re.findall(r" id=([\w-]+)", page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"(?:href=|url\()#([\w-]+)", page)) <= set(ids)


def test_it_is_a_third_of_what_matplotlib_wrote(drawing: Drawing) -> None:
    assert len(SvgInliner().inline(drawing.svg, "").encode()) < len(drawing.svg) / 3


def test_what_could_run_or_load_is_left_out() -> None:
    svg = (
        b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9">'
        b'<script>alert(1)</script><a xlink:href="https://x"><text x="1" y="1" onclick="alert(1)">t</text></a>'
        b'<image xlink:href="https://x/y.png"/><use xlink:href="https://x#y"/><text x="1" y="2">kept</text></svg>'
    )
    page = SvgInliner().inline(svg, "")
    assert not re.search("script|https|onclick|image", page)
    assert "kept" in page
