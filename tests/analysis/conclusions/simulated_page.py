"""Pages of made-up sweeps in memory, with or without planted effects, and the sentences that claim something."""

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.description import Description
from analysis.load import SweepRows
from analysis.sections import decoding_strategy, generation, logits, model_loading
from analysis.sections.measured_sweep import MeasuredSweep
from sweeps.schema import COLUMNS

Levels = Mapping[str, Any]
LogSpeed = Callable[[Levels], float]
"""Logarithm of the speed of a cell, by its levels."""
GRIDS: Final[Mapping[str, Mapping[str, Sequence[Any]]]] = {
    "model_loading": {"source": ["/nvme", "/nfs"], "cache_state": ["cold", "warm"], "cpu_cores": [1, 4]},
    "generation": {"quantization": ["4-bit", "8-bit"], "cpu_cores": [1, 4], "max_new_tokens": [64, 256]},
    "decoding_strategy": {"decoding_strategy": ["greedy", "beam_search", "sampling"], "max_new_tokens": [256]},
    "logits": {"model": ["a/one", "b/two"], "quantization": ["4-bit", "8-bit"], "input_words": [100, 400]},
}
SECTIONS: Final[Mapping[str, Callable[[MeasuredSweep], Any]]] = {
    "model_loading": model_loading.conclusions,
    "generation": generation.conclusions,
    "decoding_strategy": decoding_strategy.conclusion,
    "logits": logits.conclusions,
}
"""The section of each sweep that prints every claim on it."""
_NO_CLAIM: Final = re.compile(
    r"(Highest|Lowest|Shortest|Longest) mean |Nothing is claimed|Time from a |Longest input|No effect of "
    r"|Rows of model |No row has "
    r"|Best configuration: (too few|no cell)|.*: no claim \(|.* change together: |.* cannot be judged: "
    r"|[\d,]+ of [\d,]+ (rows were measured beside|cells are unsteady)|The rows of a cell come in rounds"
    r"|All rows are of one round|Peak memory: |KL divergence: |Loads are of |The longest inputs are over "
    r"|Best trade-offs of [^:]*: (too few|none of )"
)
"""Beginnings of sentences that claim no difference. Any other sentence counts as a claim."""


def page_of(seed: int, log_speed: LogSpeed = lambda _: 0.0, closeness: float = 1.0) -> dict[str, MeasuredSweep]:
    """Four timed sweeps and one of fidelity. Number of rows, spread, gaps and rounds follow from the seed.

    With 8 bits the divergence from full precision is `closeness` times that with 4 bits.
    """
    rng = np.random.default_rng(seed)
    made = {name: _sweep(name, _rows(name, GRIDS[name], rng, seed % 4, log_speed)) for name in GRIDS}
    made["fidelity"] = _sweep("fidelity", _fidelity(rng, closeness))
    return {name: MeasuredSweep(rows, name, name, tuple(made.values())) for name, rows in made.items()}


def claims_on(page: Mapping[str, MeasuredSweep], name: str) -> list[str]:
    """Sentences on a sweep that claim something."""
    content = SECTIONS[name](page[name])
    return [sentence for sentence in content.sentences if not _NO_CLAIM.match(sentence)]


def sweeps_with_a_claim(seeds: Sequence[int]) -> dict[str, int]:
    """Number of sweeps with a claim on them, by benchmark, of a page for each seed, without any effect."""
    pages = [page_of(seed) for seed in seeds]
    return {name: sum(bool(claims_on(page, name)) for page in pages) for name in GRIDS}


def _rows(
    benchmark: str, grid: Mapping[str, Sequence[Any]], rng: np.random.Generator, kind: int, log_speed: LogSpeed
) -> list[dict[str, Any]]:
    """Rows of a sweep: 5 or 8 of each cell; of unlike spread and with gaps; or in 5 rounds of 2."""
    n, rounds = ((5, 1), (8, 1), (6, 1), (10, 5))[kind]
    rows = []
    for device, *levels in itertools.product(["gtx-1070", "k80"], *grid.values()):
        cell = {"device": device, "model": "a/one"} | dict(zip(grid, levels, strict=True))
        sd = 0.02 * (rng.uniform(0.2, 2) if kind == 2 else 1.0)
        if kind == 2 and rng.random() < 0.1:
            continue
        of_round = 0.03 * rng.standard_normal(rounds) * (rounds > 1)
        for i in range(n):
            noise = sd * rng.standard_normal() + of_round[i % rounds]
            size = 6e9 * float(np.exp(0.01 * rng.standard_normal()))
            speed = float(np.exp(log_speed({"benchmark": benchmark} | cell) + noise))
            rows.append(cell | _measured(benchmark, cell, speed, int(size)) | {"round": i % rounds, "iteration": i})
    return rows


def _measured(benchmark: str, cell: Levels, speed: float, size: int) -> dict[str, Any]:
    """Measurements of a row."""
    peak = {"peak_allocated_bytes": size}
    if benchmark == "model_loading":
        return {"load_rate_per_s": speed, "load_time_s": 1 / speed} | peak
    if benchmark == "logits":
        return {"calculation_rate_tokens_per_s": speed} | peak
    return {"generation_rate_tokens_per_s": speed, "inference_time_s": cell["max_new_tokens"] / speed} | peak


def _fidelity(rng: np.random.Generator, closeness: float) -> list[dict[str, Any]]:
    """Divergences of 20 texts for each model and quantization."""
    scale = {"4-bit": 1.0, "8-bit": closeness}
    return [
        {"model": model, "quantization": bits, "record_id": str(i), "corpus": "c"}
        | {"kl": scale[bits] * float(rng.lognormal(-3, 0.5))}
        for model, bits, i in itertools.product(["a/one", "b/two"], ["4-bit", "8-bit"], range(20))
    ]


def _sweep(benchmark: str, rows: list[dict[str, Any]]) -> SweepRows:
    """Rows as the report reads them."""
    columns = COLUMNS[benchmark]
    table = pd.DataFrame(rows).assign(
        status="ok", host="box", device_map="single", dtype="auto", neighbours=0, device_class="gpu"
    )
    if "device" not in table:
        table["device"] = "gpu"
    if "quantization" not in table:
        table["quantization"] = "4-bit"
    return SweepRows(
        benchmark, benchmark, columns, table.reindex(columns=list(columns.schema.names)), 0, 0, Description()
    )
