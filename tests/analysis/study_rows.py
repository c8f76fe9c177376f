"""Made-up rows of the five timed sweeps of the published study, with its levels and with numbers of its size."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tests.analysis.conftest import START, Row, write_sweep

LLAMA3 = "meta-llama/Meta-Llama-3-8B"
MODELS = (LLAMA3, "tiiuae/falcon-7b", "mistralai/Mistral-7B-v0.3", "meta-llama/Llama-2-7b-hf")
PLACES = (("gtx-1070", "single"), ("k80", "single"), ("gpu x3", "auto"), ("gpu x3", "sequential"), ("cpu", "single"))
SPEED = {"gtx-1070": 1.0, "k80": 0.6, "gpu x3": 0.8, "cpu": 0.2}
STRATEGIES = (
    "default", "greedy", "sampling", "beam_search", "beam_search_sampling", "diverse_beam_search", "contrastive",
)  # fmt: skip
Factors = Mapping[str, Sequence[Any]]


def study_rows(benchmark: str, factors: Factors, seed: int = 0) -> Iterator[Row]:
    """Yield three rows for every cell of a grid that its device can be asked for."""
    rng = np.random.default_rng(seed)
    order = 0
    for (device, device_map), levels in itertools.product(PLACES, itertools.product(*factors.values())):
        cell = dict(zip(factors, levels, strict=True)) | {"device": device, "device_map": device_map}
        if (device == "cpu") != (
            cell.get("quantization", "none") == "none" or (benchmark == "encoding" and device == "cpu")
        ):
            continue
        name = "|".join(map(str, cell.values()))
        for iteration in range(3):
            order += 1
            yield {
                "sweep": benchmark,
                "benchmark": benchmark,
                "task_id": f"{benchmark} {name}",
                "cell_id": name,
                "iteration": iteration,
                "round": 0,
                "order_index": order,
                "attempt": 1,
                "status": "ok",
                "started_at": START + timedelta(seconds=order),
                "duration_s": 1.0,
                "host": "box",
                "device_class": {"gtx-1070": "geforce-gtx-1070", "k80": "tesla-k80", "cpu": "cpu"}.get(
                    device, "tesla-k80+tesla-k80+geforce-gtx-1070"
                ),
                "device_name": device,
                "threads_effective": cell.get("cpu_cores", 4),
                "neighbours": int(iteration == 2 and device == "k80"),
                "dtype": "auto",
                "environment_id": "e1",
                **cell,
                **_outcome(benchmark, cell, float(rng.lognormal(0, 0.02))),
            }


def _outcome(benchmark: str, cell: Row, noise: float) -> Row:
    """Return the measurements of a row; of the longest logits on the smallest card, why there are none."""
    words = cell.get("input_words", 0)
    if benchmark == "logits" and cell["device"] == "gtx-1070" and words >= 900:
        return {"status": "oom_gpu" if words == 900 else "skipped_oom", "neighbours": None}
    return _metrics(benchmark, cell, noise)


def _metrics(benchmark: str, cell: Row, noise: float) -> Row:
    """Return the measurements of a row."""
    rate = 12 * SPEED[cell["device"]] * noise * {"8-bit": 0.3}.get(cell.get("quantization", ""), 1.0)
    cores = cell.get("cpu_cores", 4)
    memory = {"peak_rss_bytes": int(4e9 * noise)}
    if cell["device"] != "cpu":
        memory |= {"peak_allocated_bytes": int(6e9 * noise + 1e6 * cell.get("input_words", 0))}
    if benchmark == "model_loading":
        seconds = 8 / SPEED[cell["device"]] ** 0.2 / cores**0.1 * noise
        return {"load_time_s": seconds, "load_rate_per_s": 1 / seconds, "load_bytes": 16_000_000_000, **memory}
    if benchmark in ("generation", "decoding_strategy"):
        rate *= 0.35 if "beam" in cell.get("decoding_strategy", "") else 1.0
        rate *= min(cores, 4) ** (0.8 if cell["device"] == "cpu" else 0.1)
        return {
            "generation_rate_tokens_per_s": rate,
            "inference_time_s": cell["max_new_tokens"] / rate,
            "ttft_s": 0.1 / noise,
            "tpot_s": 1 / rate,
            "prompt_tokens": 32,
            "new_tokens": cell["max_new_tokens"],
            **memory,
        }
    tokens = round(1.3 * cell["input_words"])
    if benchmark == "logits":
        rate *= 20
        beyond = {"peak_rss_beyond_model_bytes": int(1e6 * tokens)}
        return {"input_tokens": tokens, "calculation_time_s": tokens / rate, "calculation_rate_tokens_per_s": rate,
                **beyond, **memory}  # fmt: skip
    rate = 1e6 * noise * cores**0.5
    return {"input_bytes": 6 * tokens, "output_tokens": tokens, "encoding_time_s": tokens / rate,
            "encoding_rate_tokens_per_s": rate, "encoding_rate_bytes_per_s": 4.5 * rate}  # fmt: skip


STUDY: Mapping[str, Factors] = {
    "model_loading": {
        "model": (LLAMA3,),
        "source": ("/mnt/ramdisk/hub", "/mnt/nvme/hub", "/mnt/sata/hub", "/mnt/nfs/hub"),
        "cache_state": ("cold", "warm"),
        "quantization": ("none", "4-bit"),
        "cpu_cores": (1, 2, 4, 8, 16),
    },
    "generation": {
        "model": (LLAMA3,),
        "quantization": ("none", "4-bit", "8-bit"),
        "cpu_cores": (1, 2, 4, 8, 16),
        "max_new_tokens": (16, 32, 64, 128, 256),
    },
    "decoding_strategy": {
        "model": MODELS,
        "decoding_strategy": STRATEGIES,
        "quantization": ("none", "4-bit"),
        "cpu_cores": (4,),
        "max_new_tokens": (16, 32, 64, 128, 256),
    },
    "logits": {
        "model": MODELS,
        "quantization": ("none", "4-bit"),
        "cpu_cores": (4,),
        "input_words": (50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000),
    },
    "encoding": {
        "model": (LLAMA3,),
        "quantization": ("none",),
        "cpu_cores": (1, 2, 4, 8, 16),
        "input_words": (10, 20, 40, 80, 160, 320, 640, 1280),
    },
}


def write_study(run: Path, only: Sequence[str] = tuple(STUDY)) -> None:
    """Write the sweeps of the study into a run directory."""
    for benchmark in only:
        rows = list(study_rows(benchmark, STUDY[benchmark]))
        factors = {"device": list(SPEED), "device_map": ["single", "auto", "sequential"], **STUDY[benchmark]}
        tasks = len({row["task_id"] for row in rows})
        write_sweep(
            run,
            rows,
            benchmark,
            benchmark=benchmark,
            factors=factors,
            tasks=tasks,
            command="python -m sweeps.run study",
        )
