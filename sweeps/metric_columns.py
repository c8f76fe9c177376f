"""Groups of columns that the built-in benchmarks have as metrics, or as identity of a fragment.

Knows names and types only; docs/measurements.md says what each number means. `sweeps.schema` gives every benchmark its
groups.
"""

from typing import Final

import pyarrow as pa

EFFECTIVE: Final[dict[str, pa.DataType]] = {
    "dtype_effective": pa.string(),
    "device_map_effective": pa.string(),
    "quantized_share": pa.float64(),
}
"""Properties of the loaded model, beside what the spec asked for."""

PEAKS: Final = ("peak_allocated_bytes", "peak_reserved_bytes", "peak_device_used_bytes", "peak_rss_bytes")
MEMORY: Final[dict[str, pa.DataType]] = {
    **dict.fromkeys(PEAKS, pa.int64()),
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

PEAKS_BEYOND_MODEL: Final = (
    "peak_allocated_beyond_model_bytes",
    "peak_reserved_beyond_model_bytes",
    "peak_rss_beyond_model_bytes",
)
LOGITS: Final[dict[str, pa.DataType]] = {
    "input_tokens": pa.int32(),
    "calculation_time_s": pa.float64(),
    "calculation_rate_tokens_per_s": pa.float64(),
    **dict.fromkeys(PEAKS_BEYOND_MODEL, pa.int64()),
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
    "group": pa.string(),
    "length_words": pa.int32(),
    "start_word": pa.int32(),
    "text_sha256": pa.string(),
    "dropped_words": pa.int32(),
    "unpaired_words": pa.int32(),
    "null_reason": pa.string(),
}
"""The fragment that a row is of, and the reason why it has no score if it has none."""

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

PANEL: Final[dict[str, pa.DataType]] = {
    "xent_aligned_sum": pa.float64(),
    "var_sum": pa.float64(),
    "entropy_o_sum": pa.float64(),
    "entropy_q_sum": pa.float64(),
    "log_rank_sum": pa.float64(),
    "rank_1": pa.int32(),
    "rank_10": pa.int32(),
    "rank_100": pa.int32(),
    "rank_1000": pa.int32(),
    "top1_agree": pa.int32(),
    "fast_detect": pa.float64(),
    "log_rank": pa.float64(),
    "lrr": pa.float64(),
    "entropy": pa.float64(),
    "kl": pa.float64(),
    "surprisal_sd": pa.float64(),
    "surprisal_skew": pa.float64(),
    "surprisal_kurtosis": pa.float64(),
    "surprisal_delta_sd": pa.float64(),
}
"""Sums and scores of the same two forward passes: null without the panel."""

FIDELITY: Final[dict[str, pa.DataType]] = {
    "length_tokens": pa.int32(),
    "n_predicted": pa.int32(),
    "kl": pa.float64(),
    "kl_p99": pa.float64(),
    "kl_sum": pa.float64(),
    "top1_agreement": pa.float64(),
    "top1_agree": pa.int32(),
    "log_ppl_reference": pa.float64(),
    "log_ppl_quantized": pa.float64(),
    "ppl_ratio": pa.float64(),
    "nll_reference_sum": pa.float64(),
    "nll_quantized_sum": pa.float64(),
    "truncated": pa.bool_(),
}
