"""Rows without a measurement, counted by reason."""

from pathlib import Path

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
