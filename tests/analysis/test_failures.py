"""Rows without a measurement, counted by reason."""

from pathlib import Path
from typing import Any

import pytest

import analysis.failures
from analysis.failures import failures
from analysis.load import read_run


def test_failures_are_counted_by_reason_with_their_levels(small_run: Path) -> None:
    assert failures(read_run(small_run).sweeps[0]).to_dict("records") == [
        {
            "status": "unsupported",
            "reason": "Unsupported: no gpu",
            "rows": 3,
            "cells": 1,
            "where": "device: gpu; max_new_tokens: 16",
        }
    ]


def test_rarer_reasons_than_anybody_reads_are_counted_together(
    run_dir: Path, write: Any, row: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis.failures, "MAX_REASONS", 2)
    messages = ["often"] * 3 + ["seldom"] * 2 + ["one", "two", "three"]
    rows = [
        row(index, status="error", error_type=None, error_message=message, max_new_tokens=index)
        for index, message in enumerate(messages)
    ]
    write(run_dir, rows, factors={"max_new_tokens": list(range(8))})
    table = failures(read_run(run_dir).sweeps[0])
    assert dict(zip(table["reason"], table["rows"], strict=True)) == {
        "often": 3,
        "seldom": 2,
        "one of 3 rarer reasons": 3,
    }
    assert list(table["rows"]) == [3, 3, 2], "most rows first"


def test_many_levels_are_counted(run_dir: Path, write: Any, row: Any) -> None:
    rows = [row(index, status="error", max_new_tokens=index) for index in range(15)]
    write(run_dir, rows, factors={"max_new_tokens": list(range(15))})
    (where,) = failures(read_run(run_dir).sweeps[0])["where"]
    assert where == "max_new_tokens: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 3 more"
