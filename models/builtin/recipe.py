"""The recipe of the built-in models and corpus; any change here is a new build under a new id.

Imports no torch, so that the id can be had without it. The id covers the installed versions as well: the
text comes from their docstrings, so another version is another model and must not share a revision.
"""

import hashlib
import json
import platform
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Final

FORMAT: Final = 1
"""Raise it when the code around the recipe changes what a build holds."""

INGREDIENTS: Final = (
    "networkx", "numpy", "pandas", "scikit-learn", "scipy", "tokenizers", "torch", "transformers"
)  # fmt: skip
"""Distributions that lend text or decide how it becomes weights."""


@dataclass(frozen=True)
class Shape:
    """Size of a Llama; every width a multiple of 64, which bitsandbytes' blocks need."""

    hidden: int
    layers: int
    feed_forward: int
    head: int = 64


@dataclass(frozen=True)
class Schedule:
    """Steps and batches of the training: AdamW with linear warm-up and cosine decay."""

    steps: int
    batch_texts: int
    window_tokens: int
    peak_rate: float
    seed: int


@dataclass(frozen=True)
class Sampling:
    """Sampling settings of the third model."""

    temperature: float
    top_k: int
    prompt_tokens: int
    seed: int


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a build, except the installed versions."""

    sources: tuple[str, ...]
    seed: int
    vocabulary: int
    max_tokens: int
    pair: Shape
    base_schedule: Schedule
    instruct_schedule: Schedule
    third: Shape
    third_schedule: Schedule
    sampling: Sampling
    records: int
    record_words: tuple[int, int]
    """Fewest and most words after which a human text ends with its sentence; log-uniform between."""

    @property
    def build_id(self) -> str:
        """12 hex digits over recipe, format and versions."""
        content = {
            "format": FORMAT,
            "recipe": asdict(self),
            "python": platform.python_version(),
            "versions": {name: _version(name) for name in INGREDIENTS},
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


RECIPE: Final = Recipe(
    sources=(
        "stdlib", "networkx", "numpy", "scipy", "sklearn", "pandas/core",
        "torch/nn", "torch/distributed", "transformers/generation",
    ),
    seed=0,
    vocabulary=2048,
    max_tokens=4096,
    pair=Shape(hidden=128, layers=2, feed_forward=384),
    base_schedule=Schedule(steps=360, batch_texts=4, window_tokens=128, peak_rate=4e-3, seed=1),
    instruct_schedule=Schedule(steps=80, batch_texts=4, window_tokens=128, peak_rate=1.5e-3, seed=2),
    third=Shape(hidden=64, layers=2, feed_forward=192),
    third_schedule=Schedule(steps=500, batch_texts=4, window_tokens=128, peak_rate=8e-3, seed=3),
    sampling=Sampling(temperature=0.95, top_k=128, prompt_tokens=16, seed=4),
    records=250,
    record_words=(40, 220),
)  # fmt: skip
