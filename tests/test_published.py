"""Every published sweep is rehearsed on the built-in models, as docs/specs.md says."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest

from sweeps.schema import COLUMNS

SHORT = {"iterations": "1", "warmup": "0"}
SHORTER = {
    "decoding_strategy": {"factors.max_new_tokens": "[4]"},
    "generation": {"factors.max_new_tokens": "[4, 8]"},
}
"""`make study-check` rehearses with more tokens."""
MEASURED = {
    "model_loading": ["load_time_s", "load_rate_per_s", "load_bytes", "load_rate_bytes_per_s", "filesystem"],
    "generation": ["new_tokens", "inference_time_s", "ttft_s", "tpot_s", "peak_rss_bytes", "device_map_effective"],
    "decoding_strategy": ["new_tokens", "inference_time_s", "ttft_s", "tpot_s", "peak_rss_bytes"],
    "logits": ["input_tokens", "calculation_time_s", "peak_rss_bytes", "peak_rss_beyond_model_bytes"],
    "encoding": ["input_bytes", "output_tokens", "encoding_time_s", "move_time_s", "rayon_threads_effective"],
}
"""Columns that no row of status ok leaves out."""


def rehearse(name: str, address: str, directory: Path) -> list[dict[str, Any]]:
    keys = SHORT | SHORTER.get(name, {})
    shorter = [part for key, value in keys.items() for part in ("--set", f"{name}.{key}={value}")]
    run = [sys.executable, "-W", "error", "-m", "sweeps.run"]
    command = [*run, name, "--rehearse", *shorter, "--address", address]
    answer = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=600, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    table = ds.dataset(sorted(directory.glob(f"runs/{name}-rehearsal/{name}/part-*.parquet"))).to_table()
    assert table.schema.equals(COLUMNS[name].schema)
    return table.to_pylist()  # type: ignore[no-any-return]


def check(name: str, rows: list[dict[str, Any]]) -> None:
    assert {row["status"] for row in rows} <= {"ok", "unsupported"}
    for row in rows:
        if row["status"] == "ok":
            missing = [column for column in MEASURED[name] if row[column] is None]
            assert not missing, missing
        else:
            assert row["error_message"]
            assert all(row[metric] is None for metric in COLUMNS[name].metrics)


@pytest.mark.slow
@pytest.mark.timeout(700)
@pytest.mark.parametrize("name", MEASURED)
def test_inline(name: str, tmp_path: Path) -> None:
    rows = rehearse(name, "inline", tmp_path)
    check(name, rows)
    assert sum(row["status"] == "ok" for row in rows) * 2 >= len(rows)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(700)
@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize("name", MEASURED)
def test_on_ray(name: str, tmp_path: Path) -> None:
    rows = rehearse(name, "auto", tmp_path)
    check(name, rows)
    if name != "model_loading":  # where the file system cannot evict, cold loads are unsupported
        assert {row["status"] for row in rows} == {"ok"}
