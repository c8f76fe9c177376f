"""The published study, section by section, in its own order: the one list of all sections."""

from typing import Final

from analysis.sections import corpus, decoding_strategy, encoding, generation, logits, model_loading
from analysis.sections.scores import (
    distribution,
    model_benchmark,
    panel_ranking,
    perplexities,
    score_by_length,
    thresholding,
)
from analysis.sections.section import Notebook, Section

_01: Final = Notebook.LLAMA3
_02: Final = Notebook.LOGITS
_03: Final = Notebook.SCORES
_LOADING: Final = ("model_loading", "model_loading", ("load_rate_per_s",))
_GENERATION: Final = ("generation", "generation", ("generation_rate_tokens_per_s",))
_DECODING: Final = ("decoding_strategy", "decoding_strategy", ("generation_rate_tokens_per_s", "decoding_strategy"))
_LOGITS: Final = ("logits", "logits", ("calculation_rate_tokens_per_s", "input_words"))
_CORPUS: Final = ("binoculars_fragments", "binoculars", ("author",))
_ENCODING: Final = ("encoding", "encoding", ("encoding_rate_tokens_per_s", "input_words"))
_SCORED: Final = ("binoculars", ("score", "author", "record_id"))
_FRAGMENTS: Final = ("binoculars_fragments", *_SCORED)
_ANY_SCORE: Final = ("binoculars", ("score",))
"""Spec, benchmark and columns of the sections of one study. Those of _ANY_SCORE say why the other sections of scores
are absent, where no scored row has a record or an author."""

SECTIONS: Final[tuple[Section, ...]] = (
    Section(_01, "1.1", "Model loading, TLDR", *_LOADING, model_loading.tldr, summary_title="Model loading"),
    Section(_01, "1.2", "LLaMA3 loading rate", *_LOADING, model_loading.rate),
    Section(_01, "1.3", "Loading time averages, 16 CPU cores", *_LOADING, model_loading.averages_16_cores),
    Section(_01, "1.4–1.5", "Observations, conclusions", *_LOADING, model_loading.conclusions),
    Section(_01, "2.1", "Inference, TLDR", *_GENERATION, generation.tldr, summary_title="Inference"),
    Section(_01, "2.2", "Generation rate, 4-bit vs 8-bit, 4 cores", *_GENERATION, generation.rate_4_and_8_bit),
    Section(_01, "2.3", "Inference time averages, 256 tokens, 4 cores", *_GENERATION, generation.time_4_and_8_bit),
    Section(_01, "2.4", "Generation rate, 4-bit", *_GENERATION, generation.rate_4_bit),
    Section(_01, "2.5", "Inference time averages, 4-bit, 256 tokens, 4 cores", *_GENERATION, generation.time_4_bit),
    Section(_01, "2.7", "Generation rate, CPU only", *_GENERATION, generation.rate_cpu),
    Section(_01, "2.8", "Inference time averages, CPU only, 256 tokens", *_GENERATION, generation.time_cpu),
    Section(
        _01,
        "2.10",
        "Inference time averages, all devices, 256 tokens, 4 cores",
        *_GENERATION,
        generation.time_all_devices,
    ),
    Section(_01, "2.6, 2.9", "Observations, conclusions", *_GENERATION, generation.conclusions),
    Section(
        _01, "3.1", "Decoding strategy: generation rate, K80 vs GTX1070", *_DECODING, decoding_strategy.rate_by_device
    ),
    Section(
        _01, "3.2", "Inference time averages K80 vs GTX1070, 256 tokens", *_DECODING, decoding_strategy.time_by_device
    ),
    Section(_01, "3.2b", "Generation rate by model, GTX1070", *_DECODING, decoding_strategy.rate_by_model),
    Section(_01, "3.4", "Generation rate, CPU only", *_DECODING, decoding_strategy.rate_cpu),
    Section(_01, "3.5", "Generation rate by model, CPU only", *_DECODING, decoding_strategy.rate_by_model_cpu),
    Section(_01, "3.3", "Conclusion", *_DECODING, decoding_strategy.conclusion, summary_title="Decoding strategies"),
    Section(_02, "1.1", "TLDR: logits", *_LOGITS, logits.tldr, summary_title="Logits"),
    Section(_02, "1.2", "Memory footprint, 4-bit", *_LOGITS, logits.memory_4_bit),
    Section(_02, "1.3", "Logit calculation rate, 4-bit", *_LOGITS, logits.rate_4_bit),
    Section(_02, "1.4", "Rate and memory averages, LLaMA3-8B", *_LOGITS, logits.rate_and_memory),
    Section(_02, "1.4b", "Memory: CPU vs GPU", *_LOGITS, logits.memory_cpu_and_gpu),
    Section(_02, "1.5", "Rate: CPU vs GPU", *_LOGITS, logits.rate_cpu_and_gpu),
    Section(_02, "1.6", "Conclusions", *_LOGITS, logits.conclusions),
    Section(_02, "2.1", "TLDR: encoding", *_ENCODING, encoding.tldr, summary_title="Encoding"),
    Section(_02, "2.2", "Memory footprint, device map and sequence length", *_ENCODING, encoding.memory),
    Section(_02, "2.3", "Encoding rate, device map and sequence length", *_ENCODING, encoding.rate),
    Section(_03, "1.1", "Hans et al. datasets: structure", *_CORPUS, corpus.structure),
    Section(_03, "1.2.1", "Text length distributions", *_CORPUS, corpus.lengths),
    Section(_03, "1.2.2", "Human–synthetic length correlation by record", *_CORPUS, corpus.pairs),
    Section(_03, "1.2.3", "Text composition over records", *_CORPUS, corpus.composition),
    Section(_03, "1.2.4", "TF-IDF distributions", *_CORPUS, corpus.term_weights),
    Section(
        _03,
        "2.1",
        "Model benchmark",
        "binoculars_models",
        *_ANY_SCORE,
        model_benchmark.model_benchmark,
        summary_title="Model pairs",
    ),
    Section(_03, "2.1", "Model combinations", "binoculars_combinations", *_SCORED, model_benchmark.combinations),
    Section(
        _03,
        "2.2",
        "LLaMA3-8B",
        "binoculars_fragments",
        *_ANY_SCORE,
        model_benchmark.one_pair,
        summary_title="One model pair",
    ),
    Section(_03, "–", "Perplexity vs cross-perplexity", *_FRAGMENTS, perplexities.perplexities),
    Section(_03, "–", "Perplexity ratio score distribution", *_FRAGMENTS, distribution.score_distribution),
    Section(_03, "–", "Binoculars score by fragment length", *_FRAGMENTS, score_by_length.score_by_length),
    Section(_03, "–", "Fragment length distribution", *_FRAGMENTS, distribution.length_distribution),
    Section(
        _03,
        "–",
        "Scores of the panel",
        *_FRAGMENTS,
        panel_ranking.panel_ranking,
        summary_title="Scores compared",
    ),
    Section(_03, "–", "Thresholding", *_FRAGMENTS, thresholding.thresholding, summary_title="Thresholds"),
)
