"""Names of any script and sign in figures: as they are in the SVG, without boxes in the PNG, all different."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from analysis import canvas
from analysis.canvas import ESCAPED, Drawing
from analysis.cell_averages import average
from analysis.figure_spec import choose_figure
from analysis.histograms import draw_scores
from analysis.level_labels import MAX_LABEL, short_names, text_of
from analysis.load import read_run
from analysis.plots import draw
from analysis.report import write_report

NAMES = [
    "新模型-7b",
    "_leading",
    "price_$5_vs_$10",
    "a\\b^c_{d}%s",
    "<b>&amp;\"'",
    "نموذج",
    "e\u0301a",
    "😀",
    "\u07ff\U000e0fff",
    "x\x1b[31m\n\t\u202e",
    "–",
    None,
    "y" * 300,
    "y" * 301,
]


def drawn(run_dir: Path, write: Any, cell: Any, **factors: Any) -> Drawing:
    rows = [
        row
        for i, name in enumerate(NAMES)
        for tokens in (16, 32)
        for row in cell([1.0 + i], model=name, max_new_tokens=tokens)
    ]
    write(run_dir, rows)
    averages = average(read_run(run_dir).sweeps[0])
    figure_spec = choose_figure(averages, factors)
    assert figure_spec is not None
    (drawing,) = draw(averages, figure_spec, "s")
    return drawing


def texts(svg: bytes) -> list[str]:
    return [
        "".join(element.itertext()) for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")
    ]


@pytest.mark.parametrize("place", ["series", "x", "panel"])
@pytest.mark.slow
def test_names_stand_in_the_svg_as_they_are(
    run_dir: Path, write: Any, cell: Any, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.figure_spec.MAX_PANELS", len(NAMES))
    drawing = drawn(run_dir, write, cell, **{place: "model"})
    seen = [text.removeprefix("model: ") for text in texts(drawing.svg)]
    for name in NAMES[:8]:
        assert name in seen
    assert "x\\x1b[31m\\n\\t\\u202e" in seen
    assert len([text for text in seen if text.startswith("–")]) == 2, "null and a dash are told apart"
    assert len({text for text in seen if text.startswith("yyy")}) == 2
    assert max(map(len, seen)) <= MAX_LABEL + 10


def test_what_no_font_has_is_a_code_point_in_the_png(
    run_dir: Path, write: Any, cell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canvas, "_fonts", lambda: ())
    canvas._characters.cache_clear()
    try:
        assert canvas._escaped("新 a–é😀\n模") == "\\u65b0 a–é😀\n\\u6a21"
        assert drawn(run_dir, write, cell).caption.endswith(ESCAPED)
    finally:
        canvas._characters.cache_clear()


def test_names_that_every_font_has_need_no_remark(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([1.0], model="a") + cell([1.0], model="b"))
    averages = average(read_run(run_dir).sweeps[0])
    figure_spec = choose_figure(averages, None)
    assert figure_spec is not None
    assert ESCAPED not in draw(averages, figure_spec, "s")[0].caption


def test_a_logarithmic_axis_has_numbers_that_can_be_read(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([1.0], max_new_tokens=1) + cell([20_000.0], max_new_tokens=2))
    averages = average(read_run(run_dir).sweeps[0])
    figure_spec = choose_figure(averages, None)
    assert figure_spec is not None
    seen = texts(draw(averages, figure_spec, "s")[0].svg)
    assert {"1", "10", "100", "1,000", "10,000"} <= set(seen)
    assert not re.search(r"[$\\]", "".join(seen))


def test_authors_and_pairs_in_histograms(run_dir: Path, write: Any, row: Any) -> None:
    rows = [
        row(i, benchmark="binoculars", author=author, score=1.0 + i, record_id="r", observer=observer, cell_id=observer)
        for author in ("human", "新", None)
        for observer in ("_o$1$", "模\n")
        for i in range(2)
    ]
    write(run_dir, rows, "pairs", benchmark="binoculars")
    (sweep,) = read_run(run_dir).sweeps
    (drawing,) = draw_scores(sweep, average(sweep), "pairs")
    assert {"human", "新", "–", "observer: _o$1$", "observer: 模\\n"} <= set(texts(drawing.svg))


@pytest.mark.parametrize(
    ("levels", "names"),
    [
        (['["./o", "./p"]', '["./o", "./q"]'], ["o, p", "o, q"]),
        (['["builtin://tiny-base", "builtin://tiny-instruct"]'], ["tiny-base, tiny-instruct"]),
        (['["a/m", "p"]', '["b/m", "p"]'], ["a/m, p", "b/m, p"]),
        (['{"path": "/data/news.jsonl", "synthetic": "syn"}', '{"path": "/data/wiki"}'], ["news.jsonl", "wiki"]),
        (['{"path": "/a/c.csv", "human": "t"}', '{"path": "/b/c.csv", "human": "t"}'], ["a/c.csv", "b/c.csv"]),
        (
            [
                '{"path": "/a/c", "human": "t", "synthetic": "x/y"}',
                '{"path": "/a/c", "human": "u", "synthetic": "x/y"}',
            ],
            ["c, human=t", "c, human=u"],
        ),
        (['{"words": 64, "every": 1}', '{"words": 128, "every": 1}', None], ["words=64", "words=128", "–"]),
        (['{"0": "10GiB", "cpu": "4GiB"}'], ["0=10GiB, cpu=4GiB"]),
        (['{"a": 1}', '{"a": 1, "b": [true, null]}'], ["a=1", "b=[true, –]"]),
        (['[{"": "cpu"}, {"": "cuda:0"}]'], ["all on cpu, all on cuda:0"]),
        (["[not/JSON", "{", "[" * 5000], ["JSON", "{", "[" * 13 + "…" + "[" * 26]),
        (["/x/m/", "/y/m", "n"], ["x/m", "y/m", "n"]),
        (["[]", "{}"], ["[]", "{}"]),
    ],
)
def test_lists_and_objects_are_named_by_what_they_hold(levels: list[Any], names: list[str]) -> None:
    assert short_names(levels) == names


@pytest.mark.parametrize(
    ("level", "text"),
    [
        ('{"": "cpu"}', "all on cpu"),
        ('{"": 0}', "all on device 0"),
        ('[{"": "cpu"}, {"": "cuda:0"}]', "all on cpu and all on cuda:0"),
        ('{"": "\\u001b[31m<b>"}', "all on \\x1b[31m<b>"),
        ('{"": "cpu", "lm_head": 0}', '{"": "cpu", "lm_head": 0}'),
        ('{"": {"": 1}}', '{"": {"": 1}}'),
        ('{"": ', '{"": '),
    ],
)
def test_a_device_map_of_one_device_is_in_words(level: str, text: str) -> None:
    assert text_of(level) == text


def test_a_device_map_is_in_words_on_the_page_and_in_the_legend(run_dir: Path, write: Any, cell: Any) -> None:
    maps = ('{"": "cpu"}', '{"": "cuda:0"}')
    rows = [row for one in maps for row in cell([1.0, 2.0], device_map=one, cell_id=one, task_id=one)]
    write(run_dir, rows, figure={"x": "max_new_tokens", "y": "inference_time_s", "series": "device_map"})
    page = write_report(run_dir).read_text(encoding="utf-8")
    tables = re.findall("<(?:th|td)[^>]*>all on cuda:0", page)
    assert tables
    assert "cpu (all on cpu)" in page, "device and device map in one column"
    assert "&#34;&#34;" not in page.partition("<details><summary>Spec")[0]


def test_a_panel_of_a_pair_is_called_by_both_models(run_dir: Path, write: Any, row: Any) -> None:
    rows = [
        row(i, benchmark="binoculars", author="human", score=1.0, record_id=str(i), pair=pair, cell_id=pair)
        for pair in ('["./o", "./p"]', '["./o", "./q"]')
        for i in range(2)
    ]
    write(run_dir, rows, "pairs", benchmark="binoculars")
    (sweep,) = read_run(run_dir).sweeps
    (drawing,) = draw_scores(sweep, average(sweep), "pairs")
    assert {"pair: o, p", "pair: o, q"} <= set(texts(drawing.svg))


ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=60) | st.text(min_size=100, max_size=300)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["", "path", "b"]), inner, max_size=3),
).map(json.dumps)


@pytest.mark.fuzz
@given(levels=st.lists(st.none() | ANY_TEXT | ANY_JSON | st.integers(), unique=True, max_size=12))
def test_short_names_are_short_and_different_whatever_the_levels(levels: list[Any]) -> None:
    names = short_names(levels)
    assert len(set(names)) == len(levels)
    for name in names:
        assert cell_len(name) <= MAX_LABEL + 6
        assert len(name) < 9 * MAX_LABEL, "marks over letters take no cells"
        assert "\n" not in name
        name.encode()


@pytest.mark.fuzz
@given(text=ANY_TEXT)
def test_whatever_no_font_has_is_escaped(text: str) -> None:
    known = canvas._characters()
    assert all(ord(character) in known for line in canvas._escaped(text).split("\n") for character in line)
