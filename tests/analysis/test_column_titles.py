"""Quantities in words: units, numbers and durations."""

import pytest

from analysis.column_titles import axis_title, duration, number, scale_of


@pytest.mark.parametrize(
    ("column", "values", "divisor", "title"),
    [
        ("inference_time_s", [2.0, 3.0], 1, "inference time (s)"),
        ("ttft_s", [0.02, 0.5], 1e-3, "TTFT (ms)"),
        ("tpot_s", [2e-5], 1e-6, "TPOT (µs)"),
        ("peak_rss_bytes", [3 * 2**30], 2**30, "peak RSS (host) (GiB)"),
        ("peak_allocated_bytes", [5 * 2**20], 2**20, "peak allocated (MiB)"),
        ("load_rate_bytes_per_s", [2.5e9], 1e9, "load rate by size (GB/s)"),
        ("load_rate_per_s", [0.1], 1, "load rate (1/s)"),
        ("generation_rate_tokens_per_s", [float("nan"), 40.0], 1, "generation rate (tokens/s)"),
        ("max_new_tokens", [16], 1, "max new tokens"),
        ("ttft_s", [], 1, "TTFT (s)"),
        ("ttft_s", [0.0], 1, "TTFT (s)"),
    ],
)
def test_units_come_from_the_column_name(column: str, values: list[float], divisor: float, title: str) -> None:
    scale = scale_of(column, values)
    assert scale.divisor == divisor
    assert axis_title(column, scale) == title


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234.5678, "1,235"),
        (123456.0, "123,500"),
        (12.3456, "12.35"),
        (0.00012345, "0.0001234"),
        (-2.5, "-2.500"),
        (0.0, "0"),
        (float("nan"), "–"),
        (None, "–"),
    ],
)
def test_numbers_show_four_digits(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(6.24, "6.2 s"), (59.9, "59.9 s"), (245.0, "4 min 5 s"), (11_525.0, "3 h 12 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
