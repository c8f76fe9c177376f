"""The columns of every Parquet part: one unit a column, in the column's name.

Knows names and types only; what each number means stands in docs/measurements.md. A metric of a row
that is not `ok` is null.
"""

from typing import Final

import pyarrow as pa

STATUSES: Final = (
    "ok",
    "oom_gpu",
    "oom_host",
    "skipped_oom",
    "unsupported",
    "unavailable",
    "timeout",
    "error",
    "worker_lost",
)
FAILED: Final = frozenset({"error", "timeout", "worker_lost", "unavailable"})
"""Statuses that make a run end with exit code 1: what they stand for was not measured, and could be another time."""

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

EFFECTIVE: Final[dict[str, pa.DataType]] = {
    "dtype_effective": pa.string(),
    "device_map_effective": pa.string(),
    "quantized_share": pa.float64(),
}
"""What a loaded model turned out to be, beside what the spec asked for."""

MEMORY: Final[dict[str, pa.DataType]] = {
    "peak_allocated_bytes": pa.int64(),
    "peak_reserved_bytes": pa.int64(),
    "peak_device_used_bytes": pa.int64(),
    "peak_rss_bytes": pa.int64(),
    "peak_rss_method": pa.string(),
}

GENERATION: Final[dict[str, pa.DataType]] = {
    "prompt_tokens": pa.int32(),
    "new_tokens": pa.int32(),
    "inference_time_s": pa.float64(),
    "generation_rate_tokens_per_s": pa.float64(),
    "ttft_s": pa.float64(),
    "tpot_s": pa.float64(),
    "prefill_tokens_per_s": pa.float64(),
    "decode_tokens_per_s": pa.float64(),
    "generation_mode_effective": pa.string(),
}

MODEL_LOADING: Final[dict[str, pa.DataType]] = {
    "load_time_s": pa.float64(),
    "load_rate_per_s": pa.float64(),
    "load_bytes": pa.int64(),
    "load_rate_bytes_per_s": pa.float64(),
    "cached_fraction_before": pa.float64(),
    "drive_read_bytes": pa.int64(),
    "unreleased_bytes": pa.int64(),
    "storage_device": pa.string(),
    "filesystem": pa.string(),
}

LOGITS: Final[dict[str, pa.DataType]] = {
    "input_tokens": pa.int32(),
    "calculation_time_s": pa.float64(),
    "calculation_rate_tokens_per_s": pa.float64(),
    "peak_allocated_beyond_model_bytes": pa.int64(),
    "peak_reserved_beyond_model_bytes": pa.int64(),
    "peak_rss_beyond_model_bytes": pa.int64(),
    "peak_allocated_by_device_bytes": pa.string(),
    "peak_reserved_by_device_bytes": pa.string(),
}

ENCODING: Final[dict[str, pa.DataType]] = {
    "input_bytes": pa.int64(),
    "output_tokens": pa.int64(),
    "encoding_time_s": pa.float64(),
    "encoding_rate_tokens_per_s": pa.float64(),
    "encoding_rate_bytes_per_s": pa.float64(),
    "rayon_threads_effective": pa.int32(),
    "move_time_s": pa.float64(),
}

FRAGMENT: Final[dict[str, pa.DataType]] = {
    "record_id": pa.string(),
    "fragment_index": pa.int32(),
    "prefix_tokens": pa.int32(),
    "dataset": pa.string(),
    "generator": pa.string(),
    "author": pa.string(),
    "length_words": pa.int32(),
    "start_word": pa.int32(),
    "text_sha256": pa.string(),
    "dropped_words": pa.int32(),
    "null_reason": pa.string(),
}
"""Which fragment a row is of, and why it has no score if it has none."""

BINOCULARS: Final[dict[str, pa.DataType]] = {
    "length_tokens": pa.int32(),
    "observer": pa.string(),
    "performer": pa.string(),
    "nll_sum": pa.float64(),
    "xent_sum": pa.float64(),
    "n_nll": pa.int32(),
    "n_xent": pa.int32(),
    "log_ppl": pa.float64(),
    "log_xppl": pa.float64(),
    "score": pa.float64(),
    "truncated": pa.bool_(),
}

FACTORS: Final[dict[str, dict[str, pa.DataType]]] = {
    "noop": {"index": pa.int64(), "wait_s": pa.float64()},
    "model_loading": {"source": pa.string(), "cache_state": pa.string(), "max_memory": pa.string()},
    "generation": {"max_new_tokens": pa.int32(), "prompt_words": pa.int32(), "max_memory": pa.string()},
    "decoding_strategy": {
        "decoding_strategy": pa.string(),
        "max_new_tokens": pa.int32(),
        "prompt_words": pa.int32(),
        "max_memory": pa.string(),
    },
    "logits": {"input_words": pa.int32(), "max_memory": pa.string()},
    "encoding": {"input_words": pa.int32(), "texts": pa.int32(), "move_to_device": pa.bool_()},
    "binoculars": {
        "pair": pa.string(),
        "corpus": pa.string(),
        "fragments": pa.string(),
        "alignment": pa.string(),
        "placement": pa.string(),
        "max_tokens": pa.int32(),
        "shard_records": pa.int32(),
    },
}
"""A benchmark's own factors, as the spec asked for them: set in every row, whatever its status."""

IDENTITY: Final[dict[str, dict[str, pa.DataType]]] = {"binoculars": FRAGMENT}
"""What a row is of, where a task has many: set in rows of any status that are about one such thing."""

MEASURE: Final[dict[str, str]] = {"binoculars": "score"}
"""Where an `ok` row may be without a measurement: the column that is null then."""

METRICS: Final[dict[str, dict[str, pa.DataType]]] = {
    "noop": {},
    "model_loading": EFFECTIVE | MODEL_LOADING | MEMORY,
    "generation": EFFECTIVE | GENERATION | {"decoding_strategy": pa.string()} | MEMORY,
    "decoding_strategy": EFFECTIVE | GENERATION | MEMORY,
    "logits": EFFECTIVE | LOGITS | MEMORY,
    "encoding": ENCODING,
    "binoculars": EFFECTIVE | BINOCULARS | MEMORY,
}
"""What took effect and what was measured: null in every row that is not `ok`."""


def schema_of(benchmark: str) -> pa.Schema:
    """The Parquet schema of one benchmark's parts: common columns, its factors, what rows are of, its metrics.

    Raises:
        KeyError: no benchmark of that name has columns here.
    """
    identity = IDENTITY.get(benchmark, {})
    return pa.schema(list((COMMON | FACTORS[benchmark] | identity | METRICS[benchmark]).items()))
