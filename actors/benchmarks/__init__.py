"""Every benchmark by name: the built-in ones, and those of installed packages.

Adding a built-in benchmark is a file and a line here, and its columns in sweeps/schema.py; docs/extending.md shows both
ways.
"""

from collections.abc import Mapping
from typing import Final

from actors.benchmarks.base import Benchmark
from actors.benchmarks.binoculars import BinocularsBenchmark
from actors.benchmarks.decoding_strategy import DecodingStrategy
from actors.benchmarks.encoding import Encoding
from actors.benchmarks.entry_points import load_entry_points
from actors.benchmarks.fidelity import FidelityBenchmark
from actors.benchmarks.generation import Generation
from actors.benchmarks.logits import Logits
from actors.benchmarks.model_loading import ModelLoading
from actors.benchmarks.noop import Noop
from sweeps.plan.declaration import FoundBenchmarks

BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    "binoculars": BinocularsBenchmark(),
    "decoding_strategy": DecodingStrategy(),
    "encoding": Encoding(),
    "fidelity": FidelityBenchmark(),
    "generation": Generation(),
    "logits": Logits(),
    "model_loading": ModelLoading(),
    "noop": Noop(),
}
"""The built-in benchmarks."""


def find_benchmarks() -> Mapping[str, Benchmark]:
    """Return every benchmark by name: the built-in ones, and those that installed packages offer as entry points.

    An entry point that cannot be used stops only the runs that need its name (`sweeps.plan.declaration.unusable_in`).
    """
    found, unusable = load_entry_points(BENCHMARKS)
    every = {**BENCHMARKS, **found}
    return FoundBenchmarks({name: benchmark for name, benchmark in every.items() if name not in unusable}, unusable)
