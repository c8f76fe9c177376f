"""Numbers that the published study printed, and a run directory with rows that have them as means.

The study printed means of 3 iterations and no spread. The rows have an **assumed** standard deviation of 2% of the
mean: what a report concludes from them is what could be said with such a spread, and no claim on the study's own rows.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.analysis.conftest import START, Row, write_sweep

ASSUMED_SD: Final = 0.02
MODEL: Final = "meta-llama/Meta-Llama-3-8B"
SOURCES: Final = ("/mnt/ramdisk/hub", "/mnt/nvme/hub", "/mnt/sata/hub", "/mnt/nfs/hub")
TOKENS: Final = 256
GTX: Final = ("gtx-1070", "single")
K80: Final = ("k80", "single")
SEQUENTIAL: Final = ("gpu x3", "sequential")
AUTO: Final = ("gpu x3", "auto")
CPU: Final = ("cpu", "single")
Place = tuple[str, str]
"""A device and a device map."""

LOAD_S: Final[Mapping[Place, tuple[float, float]]] = {
    GTX: (7.4, 7.5),
    K80: (8.9, 9.0),
    CPU: (2.8, 3.1),
    SEQUENTIAL: (7.3, 7.4),
    AUTO: (8.9, 9.1),
}
"""01 § 1.3: least and greatest mean over the four sources, 16 cores. Which source had which mean is not in the outline:
these rows rise from the ramdisk to the NFS in equal steps."""
BY_QUANTIZATION_S: Final[Mapping[tuple[Place, str], float]] = {
    (GTX, "4-bit"): 23.8,
    (GTX, "8-bit"): 93.0,
    (K80, "4-bit"): 40.6,
    (K80, "8-bit"): 149.4,
}
"""01 § 2.3: 256 tokens, 4 cores."""
BY_CORES_S: Final[Mapping[int, float]] = {1: 590.0, 4: 202.0, 16: 216.0}
"""01 § 2.8: 256 tokens, CPU only."""
BY_STRATEGY_S: Final[Mapping[tuple[str, Place], float]] = {
    ("greedy", GTX): 29.0,
    ("greedy", K80): 39.0,
    ("beam_search", GTX): 93.0,
    ("beam_search", K80): 292.0,
}
"""01 § 3.2: 256 tokens, 4-bit."""


def loading_means() -> dict[tuple[Place, str], float]:
    """Mean load time by place and source."""
    return {
        (place, source): float(mean)
        for place, ends in LOAD_S.items()
        for source, mean in zip(SOURCES, np.linspace(*ends, len(SOURCES)), strict=True)
    }


def write_published(run: Path, n: int = 3, seed: int = 7) -> None:
    """Write a run of three sweeps with the published means, each sweep in two parts.

    Args:
        run: directory to write.
        n: iterations of each cell; 3 as published.
        seed: of the spread.
    """
    rng = np.random.default_rng(seed)
    sweeps = {
        "model_loading": list(_loading(rng, n)),
        "generation": list(_generation(rng, n)),
        "decoding_strategy": list(_decoding(rng, n)),
    }
    for name, rows in sweeps.items():
        half = len(rows) // 2
        for part, own in (("0", rows[:half]), ("1", rows[half:])):
            write_sweep(run, own, name, part=part, benchmark=name, factors={"device": ["gtx-1070", "k80"]})


def _loading(rng: np.random.Generator, n: int) -> Iterator[Row]:
    for (place, source), mean in loading_means().items():
        cell = {"source": source, "cache_state": "warm", "cpu_cores": 16, "quantization": _quantization(place)}
        for row, seconds in _cell("model_loading", place, cell, mean, rng, n):
            yield row | {"load_time_s": seconds, "load_rate_per_s": 1 / seconds}


def _generation(rng: np.random.Generator, n: int) -> Iterator[Row]:
    cells: list[tuple[Place, dict[str, Any], float]] = [
        (place, {"quantization": bits, "cpu_cores": 4}, mean) for (place, bits), mean in BY_QUANTIZATION_S.items()
    ]
    cells += [(CPU, {"quantization": "none", "cpu_cores": cores}, mean) for cores, mean in BY_CORES_S.items()]
    for place, cell, mean in cells:
        yield from _generated("generation", place, cell, mean, rng, n)


def _decoding(rng: np.random.Generator, n: int) -> Iterator[Row]:
    for (strategy, place), mean in BY_STRATEGY_S.items():
        cell = {"quantization": "4-bit", "cpu_cores": 4, "decoding_strategy": strategy}
        yield from _generated("decoding_strategy", place, cell, mean, rng, n)


def _generated(benchmark: str, place: Place, cell: Row, mean: float, rng: np.random.Generator, n: int) -> Iterator[Row]:
    for row, seconds in _cell(benchmark, place, cell | {"max_new_tokens": TOKENS}, mean, rng, n):
        yield row | {"inference_time_s": seconds, "generation_rate_tokens_per_s": TOKENS / seconds}


def _cell(
    benchmark: str, place: Place, cell: Row, mean: float, rng: np.random.Generator, n: int
) -> Iterator[tuple[Row, float]]:
    """Yield n rows without metrics, each with a time; the times have exactly the mean and the assumed sd."""
    device, device_map = place
    noise = rng.standard_normal(n)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    name = "|".join(map(str, (benchmark, *place, *cell.values())))
    for iteration, value in enumerate(noise):
        yield (
            {
                "sweep": benchmark,
                "benchmark": benchmark,
                "task_id": name,
                "cell_id": name,
                "iteration": iteration,
                "round": 0,
                "attempt": 1,
                "status": "ok",
                "started_at": START + timedelta(seconds=iteration),
                "duration_s": 1.0,
                "host": "box",
                "device": device,
                "device_class": "cpu" if device == "cpu" else device,
                "device_map": device_map,
                "model": MODEL,
                "dtype": "auto",
                "neighbours": 0,
                "environment_id": "e1",
                **cell,
            },
            float(mean * (1 + ASSUMED_SD * value)),
        )


def _quantization(place: Place) -> str:
    return "none" if place == CPU else "4-bit"
