"""The longest input of each device: what fitted, what ran out of memory, and what was not tried."""

import itertools

import pandas as pd
import pytest

from analysis.conclusions.longest_inputs import longest_by_level, longest_inputs

COLUMNS = ["device_map", "input_words", "status"]


def test_a_device_on_which_nothing_fitted_stands_last() -> None:
    rows = pd.DataFrame([("a", 50, "oom_gpu"), ("b", 50, "ok")], columns=COLUMNS)
    table = longest_inputs(rows.astype({"input_words": "Int32"}), "input_words", ["device_map"])
    assert longest_by_level(table, "device_map", "model", "words") == (
        "Longest input that fitted: 50 words on b, and nothing longer ran out of memory, so more may fit; nothing on a "
        "(all ran out of memory)."
    )


def found_in(rows: list[tuple[str, int, str]]) -> dict[str, str]:
    table = longest_inputs(pd.DataFrame(rows, columns=COLUMNS), "input_words", ["device_map"])
    return dict(zip(table["device_map"], table["finding"], strict=True))


@pytest.mark.parametrize(
    ("rows", "finding"),
    [
        (
            [(100, "ok"), (200, "oom_gpu"), (400, "skipped_oom")],
            "100 words is the longest input that fitted; 200 ran out of memory.",
        ),
        ([(1400, "ok")], "1,400 words fitted; nothing longer ran out of memory, so more may fit."),
        ([(50, "oom_host")], "already 50 words ran out of memory."),
        (
            [(100, "ok"), (300, "skipped_oom"), (200, "skipped_oom")],
            "100 words is the longest input that fitted; 200 was not tried, because something smaller had run out of "
            "memory.",
        ),
        ([(50, "skipped_oom")], "no input was tried, because something smaller had run out of memory."),
        (
            [(100, "ok"), (200, "timeout"), (50, "error")],
            "100 words fitted; nothing longer ran out of memory. 200 words timed out.",
        ),
        (
            [(100, "ok"), (400, "oom_host"), (200, "worker_lost"), (300, "worker_lost"), (300, "error")],
            "100 words is the longest input that fitted; 400 ran out of memory. 200 words lost their worker. 300 words "
            "ended with an error.",
        ),
        (
            [(100, "ok"), (100, "oom_gpu")],
            "100 words fitted, although 100 ran out of memory in another task.",
        ),
        ([(100, "unsupported")], "no input was measured. Inputs have no value: unsupported."),
    ],
)
def test_the_finding_of_a_device(rows: list[tuple[int, str]], finding: str) -> None:
    assert found_in([("k80", *row) for row in rows]) == {"k80": finding}


def test_memory_that_ran_out_beside_other_work_is_doubted() -> None:
    rows = pd.DataFrame([("a", 100, "ok"), ("a", 200, "oom_host")], columns=COLUMNS).assign(neighbours=[0, 1])
    (finding,) = longest_inputs(rows, "input_words", ["device_map"])["finding"]
    assert finding.endswith("200 ran out of memory. ⚠ what ran out of memory ran beside other work.")


def summed_up(limits: dict[tuple[str, str], tuple[int, int | None]]) -> str:
    """The sentence on devices and models, each with the length that fitted and the one that ran out of memory."""
    rows = [
        (device, model, length, status)
        for (device, model), (fitted, failed) in limits.items()
        for length, status in ((fitted, "ok"), (failed, "oom_gpu"))
        if length
    ]
    table = longest_inputs(
        pd.DataFrame(rows, columns=["device_map", "model", "input_words", "status"]),
        "input_words",
        ["device_map", "model"],
    )
    return longest_by_level(table, "device_map", "model", "words")


def test_devices_that_agree_share_one_sentence() -> None:
    everywhere = dict.fromkeys(itertools.product("abcde", "wxyz"), (1000, None))
    assert summed_up(everywhere) == (
        "Longest input that fitted: 1,000 words on a, b, c, d and e, and nothing longer ran out of memory, so more "
        "may fit."
    )


def test_a_device_that_fitted_an_input_only_once_is_not_said_to_fit_more() -> None:
    rows = pd.DataFrame([("a", 100, "ok"), ("a", 100, "oom_gpu")], columns=COLUMNS)
    table = longest_inputs(rows, "input_words", ["device_map"])
    assert longest_by_level(table, "device_map", "model", "words") == (
        "Longest input that fitted: 100 words on a, although some that were not longer ran out of memory in other "
        "tasks."
    )


def test_devices_are_told_from_the_longest_to_the_shortest_with_what_ran_out_of_memory() -> None:
    said = summed_up(
        {
            ("gtx", "x"): (300, 400),
            ("gtx", "y"): (500, 600),
            ("k80", "x"): (600, 700),
            ("k80", "y"): (600, 700),
            ("cpu", "x"): (1000, None),
            ("cpu", "y"): (1000, None),
        }
    )
    assert said == (
        "Longest input that fitted: 1,000 words on cpu, and nothing longer ran out of memory, so more may fit; 600 "
        "words on k80 (700 ran out of memory); 300 to 500 words, by model, on gtx (longer ones ran out of memory)."
    )


def test_of_many_devices_only_the_ends_are_named() -> None:
    said = summed_up({(f"d{place}", "x"): (100 * place, 100 * place + 50) for place in range(1, 10)})
    assert said == (
        "Longest input that fitted: 900 words on d9 (950 ran out of memory); 7 more between; 100 words on d1 (150 ran "
        "out of memory)."
    )


def test_a_device_that_ran_out_of_memory_with_some_models_only_says_with_how_many() -> None:
    assert summed_up({("gtx", "x"): (300, 400), ("gtx", "y"): (1000, None)}) == (
        "Longest input that fitted: 300 to 1,000 words, by model, on gtx, and longer ones ran out of memory in 1 of 2 "
        "configurations."
    )


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [("a", 100, "ok"), ("a", 200, "worker_lost"), ("a", 400, "worker_lost")],
            "100 words on a, and nothing longer ran out of memory, but 200 words lost their worker.",
        ),
        (
            [("a", 100, "ok"), ("a", 200, "timeout"), ("a", 400, "oom_gpu")],
            "100 words on a (400 ran out of memory), and 200 words timed out.",
        ),
        ([("a", 100, "error")], "nothing on a (nothing was measured), and 100 words ended with an error."),
    ],
)
def test_other_failures_of_longer_inputs_are_in_the_sentence(rows: list[tuple[str, int, str]], said: str) -> None:
    table = longest_inputs(pd.DataFrame(rows, columns=COLUMNS), "input_words", ["device_map"])
    assert longest_by_level(table, "device_map", "model", "words") == f"Longest input that fitted: {said}"
