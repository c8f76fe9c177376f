"""Names from anywhere on a terminal: nothing but pictures, and not wider than there is room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from sweeps.printable import middle_out, printable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("meta-llama/Llama [red] $x_", "meta-llama/Llama [red] $x_"),
        ("新模型 عربي 😀 e\u0301", "新模型 عربي 😀 e\u0301"),
        ("a\u200db\u200c", "a\u200db\u200c"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\tc\rd\x00", "a\\nb\\tc\\rd\\x00"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("half \ud83d", "half \\ud83d"),
        ("\x9b31m\u2028", "\\x9b31m\\u2028"),
    ],
)
def test_what_has_no_picture_is_an_escape(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_line_breaks_may_be_kept() -> None:
    assert printable("a\nb\x1b", keep="\n") == "a\nb\\x1b"


@pytest.mark.parametrize(
    ("text", "cells", "expected"),
    [
        ("meta-llama/Meta-Llama-3-8B", 14, "meta…lama-3-8B"),
        ("short", 5, "short"),
        ("新模型新模型", 7, "新…模型"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
    ],
)
def test_the_middle_goes_first(text: str, cells: int, expected: str) -> None:
    assert middle_out(text, cells) == expected


@pytest.mark.fuzz
@given(text=st.text(st.characters(exclude_categories=[])), cells=st.integers(0, 30))
def test_any_text_becomes_fit_for_a_terminal(text: str, cells: int) -> None:
    seen = printable(text)
    assert all(character.isprintable() or character in "\u200c\u200d" for character in seen)
    seen.encode()
    short = middle_out(seen, cells)
    assert cell_len(short) <= cells
    assert len(short) <= 8 * cells + 1
