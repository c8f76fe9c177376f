"""Every benchmark by name; adding one is a file and a line here, and its columns in sweeps/schema.py."""

from collections.abc import Mapping
from typing import Final

from actors.benchmarks.base import Benchmark
from actors.benchmarks.binoculars import BinocularsBenchmark
from actors.benchmarks.decoding_strategy import DecodingStrategy
from actors.benchmarks.encoding import Encoding
from actors.benchmarks.generation import Generation
from actors.benchmarks.logits import Logits
from actors.benchmarks.model_loading import ModelLoading
from actors.benchmarks.noop import Noop

BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    "binoculars": BinocularsBenchmark(),
    "decoding_strategy": DecodingStrategy(),
    "encoding": Encoding(),
    "generation": Generation(),
    "logits": Logits(),
    "model_loading": ModelLoading(),
    "noop": Noop(),
}
