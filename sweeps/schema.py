"""The columns of every Parquet part: one unit a column, in the column's name.

Knows names and types only; what each number means stands in docs/measurements.md. A metric of a row
that is not `ok` is null.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from sweeps.metric_columns import (
    BINOCULARS,
    EFFECTIVE,
    ENCODING,
    FIDELITY,
    FRAGMENT,
    GENERATION,
    LOGITS,
    MEMORY,
    MODEL_LOADING,
    PANEL,
    PEAKS,
    PEAKS_BEYOND_MODEL,
)

COMMON: Final[dict[str, pa.DataType]] = {
    "sweep": pa.string(),
    "benchmark": pa.string(),
    "task_id": pa.string(),
    "cell_id": pa.string(),
    "iteration": pa.int32(),
    "round": pa.int32(),
    "order_index": pa.int32(),
    "attempt": pa.int32(),
    "status": pa.string(),
    "error_type": pa.string(),
    "error_message": pa.string(),
    "started_at": pa.timestamp("us", tz="UTC"),
    "duration_s": pa.float64(),
    "host": pa.string(),
    "device": pa.string(),
    "device_class": pa.string(),
    "device_name": pa.string(),
    "device_uuid": pa.string(),
    "worker_id": pa.string(),
    "cpu_cores": pa.int32(),
    "threads_effective": pa.int32(),
    "affinity": pa.list_(pa.int32()),
    "neighbours": pa.int32(),
    "model": pa.string(),
    "revision": pa.string(),
    "device_map": pa.string(),
    "quantization": pa.string(),
    "dtype": pa.string(),
    "environment_id": pa.string(),
}


def is_number(kind: pa.DataType) -> bool:
    """Tell whether values of an Arrow type can be averaged; of bool that is the share of true ones."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


RESERVED: Final = frozenset({"part", "metric", "n", "mean", "median", "sd", "min", "max"})
"""Names of the report's own columns, which it adds to those of the rows."""


@dataclass(frozen=True)
class Columns:
    """The columns that a benchmark adds to the common ones, by the use that schema, plan and report make of them."""

    factors: Mapping[str, pa.DataType] = field(default_factory=dict)
    """Its own factors, as the spec asked for them: set in every row, whatever its status."""
    metrics: Mapping[str, pa.DataType] = field(default_factory=dict)
    """Effective settings and measurements: null in every row that is not `ok`."""
    identity: Mapping[str, pa.DataType] = field(default_factory=dict)
    """Tells apart the many rows of one task, such as its texts: set in rows of any status."""
    headlines: tuple[str, ...] = ()
    """Metrics that the report's tables show, the most telling first: its figure draws that one."""
    measure: str | None = None
    """Metric without which an `ok` row holds no measurement; None: every `ok` row does."""

    def __post_init__(self) -> None:
        """Refuse columns that schema, plan or report could not use: a ValueError names them."""
        own = [*self.factors, *self.identity, *self.metrics]
        if reserved := [name for name in own if name in RESERVED]:
            raise ValueError(f"the report has columns of its own named {', '.join(reserved)}: choose other names")
        if common := [name for name in own if name in COMMON]:
            raise ValueError(f"every benchmark has the common columns already: leave out {', '.join(common)}")
        if twice := [name for name in dict.fromkeys(own) if own.count(name) > 1]:
            raise ValueError(f"a column is a factor, a metric or identity, and one of them only: {', '.join(twice)}")
        if unknown := [name for name in self.headlines if name not in self.metrics]:
            raise ValueError(f"headlines {', '.join(unknown)} are no metrics; these are {', '.join(self.metrics)}")
        if texts := [name for name in self.headlines if not is_number(self.metrics[name])]:
            raise ValueError(f"headlines {', '.join(texts)} are no numbers, so nothing can be averaged")
        if self.measure is not None and self.measure not in self.metrics:
            raise ValueError(f"measure {self.measure!r} is no metric; these are {', '.join(self.metrics)}")

    @property
    def names(self) -> frozenset[str]:
        """Names of all columns of its rows, the common ones too."""
        return frozenset({*COMMON, *self.factors, *self.identity, *self.metrics})

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of its Parquet parts."""
        return pa.schema(list({**COMMON, **self.factors, **self.identity, **self.metrics}.items()))


_GENERATION_HEADLINES: Final = (
    "generation_rate_tokens_per_s",
    "inference_time_s",
    "ttft_s",
    "tpot_s",
    "prefill_tokens_per_s",
    "decode_tokens_per_s",
    *PEAKS,
)

COLUMNS: Final[dict[str, Columns]] = {
    "noop": Columns(factors={"index": pa.int64(), "wait_s": pa.float64()}),
    "model_loading": Columns(
        factors={"source": pa.string(), "cache_state": pa.string(), "max_memory": pa.string()},
        metrics=EFFECTIVE | MODEL_LOADING | MEMORY,
        headlines=(
            "load_rate_per_s",
            "load_time_s",
            "load_rate_bytes_per_s",
            "drive_read_bytes",
            "cached_fraction_before",
            *PEAKS,
            "unreleased_bytes",
        ),
    ),
    "generation": Columns(
        factors={"max_new_tokens": pa.int32(), "prompt_words": pa.int32(), "max_memory": pa.string()},
        metrics=EFFECTIVE | GENERATION | {"decoding_strategy": pa.string()} | MEMORY,
        headlines=_GENERATION_HEADLINES,
    ),
    "decoding_strategy": Columns(
        factors={
            "decoding_strategy": pa.string(),
            "max_new_tokens": pa.int32(),
            "prompt_words": pa.int32(),
            "max_memory": pa.string(),
        },
        metrics=EFFECTIVE | GENERATION | MEMORY,
        headlines=_GENERATION_HEADLINES,
    ),
    "logits": Columns(
        factors={"input_words": pa.int32(), "max_memory": pa.string()},
        metrics=EFFECTIVE | LOGITS | MEMORY,
        headlines=("calculation_rate_tokens_per_s", "calculation_time_s", *PEAKS_BEYOND_MODEL, *PEAKS),
    ),
    "encoding": Columns(
        factors={"input_words": pa.int32(), "texts": pa.int32(), "move_to_device": pa.bool_()},
        metrics=ENCODING,
        headlines=("encoding_rate_tokens_per_s", "encoding_rate_bytes_per_s", "encoding_time_s", "move_time_s"),
    ),
    "binoculars": Columns(
        factors={
            "pair": pa.string(),
            "corpus": pa.string(),
            "fragments": pa.string(),
            "alignment": pa.string(),
            "placement": pa.string(),
            "max_tokens": pa.int32(),
            "shard_records": pa.int32(),
            "panel": pa.bool_(),
        },
        metrics=EFFECTIVE | BINOCULARS | PANEL | MEMORY,
        identity=FRAGMENT,
        headlines=(
            "score",
            "log_ppl",
            "log_xppl",
            "fast_detect",
            "log_rank",
            "lrr",
            "entropy",
            "kl",
            "surprisal_sd",
            "surprisal_skew",
            "surprisal_kurtosis",
            "surprisal_delta_sd",
        ),
        measure="score",
    ),
    "fidelity": Columns(
        factors={
            "corpus": pa.string(),
            "fragments": pa.string(),
            "max_tokens": pa.int32(),
            "shard_records": pa.int32(),
        },
        metrics=EFFECTIVE | FIDELITY | MEMORY,
        identity=FRAGMENT,
        headlines=("kl", "kl_p99", "top1_agreement", "ppl_ratio", "log_ppl_reference", "log_ppl_quantized"),
        measure="kl",
    ),
}
"""Columns of the built-in benchmarks: here, so that the report knows them without importing a benchmark."""
