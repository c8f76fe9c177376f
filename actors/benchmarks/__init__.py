"""Every benchmark by name; adding one is a file and a line here, and its columns in sweeps/schema.py."""

from collections.abc import Mapping
from typing import Final

from actors.benchmarks.base import Benchmark
from actors.benchmarks.binoculars import BinocularsBenchmark
from actors.benchmarks.generation import Generation
from actors.benchmarks.noop import Noop

BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    "binoculars": BinocularsBenchmark(),
    "generation": Generation(),
    "noop": Noop(),
}
