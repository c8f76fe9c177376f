"""encoding: how fast a tokenizer turns texts into token ids, on how many cores; no model is loaded.

Timed: the tokenizer's call on a batch of texts, which Rayon's threads share. No text is ever met twice and the
tokenizer's cache of words is empty before each run, because a tokenizer that remembers looks faster than it is.

N tokens of all texts of a batch, one after the other.
"""

import gc
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, ClassVar, Final

from actors.benchmarks.base import OneTaskPerCell, timed_rows
from actors.benchmarks.model import ModelId
from sweeps.errors import Unsupported
from sweeps.plan.declaration import Factors, PositiveInt
from sweeps.schema import COLUMNS, Columns
from sweeps.task import Row, Task, digest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from models.resolve import ModelFiles

NS_PER_S: Final = 1e9


class EncodingFactors(Factors):
    """Whose tokenizer, and how much it reads in one call."""

    model: ModelId
    input_words: PositiveInt = 100
    """Of each text."""
    texts: PositiveInt = 32
    """Of one batch: with fewer of them than cores, some cores have nothing to do."""
    move_to_device: bool = False


@dataclass
class LoadedTokenizer:
    """A tokenizer, and what it runs on."""

    tokenizer: "PreTrainedTokenizerBase"
    files: "ModelFiles"
    rayon_threads: int | None
    """Counted in this process; None where the tokenizer is written in Python, which knows no Rayon."""
    device: str
    """Torch's name of where the ids go if they are to be moved."""


class Encoding(OneTaskPerCell):
    """Batches of texts through a tokenizer."""

    columns: ClassVar[Columns] = COLUMNS["encoding"]
    factors: ClassVar[type[Factors]] = EncodingFactors
    resource_kind: ClassVar[str | None] = "tokenizer"
    load_factors: ClassVar[tuple[str, ...]] = ("model",)

    def load(self, factors: EncodingFactors, devices: tuple[str, ...]) -> LoadedTokenizer:
        """The tokenizer alone.

        Raises:
            ModelUnavailable, ModelDamaged, ModelUnsupported: as models.load.load_model.
        """
        from actors.devices.pinning import rayon_threads
        from models.resolve import resolve
        from models.tokenizer import read_tokenizer

        files = resolve(factors.model)
        tokenizer = read_tokenizer(files)
        return LoadedTokenizer(tokenizer, files, rayon_threads() if tokenizer.is_fast else None, devices[0])

    def unload(self, held: LoadedTokenizer) -> None:
        """Nothing that would not go by itself."""

    def rows(self, held: LoadedTokenizer, task: Task, factors: EncodingFactors) -> Iterator[Row]:
        """One row an iteration, each over texts of its own.

        Raises:
            Unsupported: the tokenizer does not run on as many threads as the cell has cores.
        """
        check_threads(held, factors.cpu_cores)
        return timed_rows(
            task, lambda number: measure(held, batch_of(factors, task.seed, number), factors.move_to_device)
        )


def batch_of(factors: EncodingFactors, seed: int, number: int) -> list[str]:
    """The texts of one run: each is drawn by a seed of its own, made of the sweep's, the run's number and its place."""
    from models.builtin.cache import sample_text

    seeds = (int(digest([seed, number, index]), base=16) for index in range(factors.texts))
    return [sample_text(factors.input_words, text_seed) for text_seed in seeds]


def measure(held: LoadedTokenizer, texts: Sequence[str], move: bool) -> Row:
    """Encode a batch, timed.

    Args:
        held: the tokenizer.
        texts: the batch.
        move: copy the ids to the device of the slot afterwards, timed apart.

    Returns:
        The metrics of one row; special tokens count.
    """
    clear_word_cache(held)
    gc.collect()
    started_ns = time.perf_counter_ns()
    ids_of_texts = held.tokenizer(texts, verbose=False)["input_ids"]
    encoding_time_s = (time.perf_counter_ns() - started_ns) / NS_PER_S
    input_bytes = sum(len(text.encode()) for text in texts)
    output_tokens = sum(map(len, ids_of_texts))
    return {
        "revision": held.files.revision,
        "input_bytes": input_bytes,
        "output_tokens": output_tokens,
        "encoding_time_s": encoding_time_s,
        "encoding_rate_tokens_per_s": output_tokens / encoding_time_s,
        "encoding_rate_bytes_per_s": input_bytes / encoding_time_s,
        "rayon_threads_effective": held.rayon_threads,
        "move_time_s": move_time_s(ids_of_texts, held.device) if move else None,
    }


def move_time_s(ids_of_texts: Sequence[Sequence[int]], device: str) -> float:
    """Seconds that a copy of all ids to `device` takes, as one tensor out of pageable memory; on `cpu`, within it."""
    import torch

    from actors.probes.memory import synchronize

    destination = torch.device(device)
    ids_N = torch.tensor(list(chain.from_iterable(ids_of_texts)))
    synchronize([destination])  # also starts CUDA in this process
    started_ns = time.perf_counter_ns()
    ids_N.to(destination, copy=True)
    synchronize([destination])
    return (time.perf_counter_ns() - started_ns) / NS_PER_S


def clear_word_cache(held: LoadedTokenizer) -> None:
    """Empty the cache of words that BPE and Unigram keep: other texts of the same corpus have mostly the same words."""
    if held.rayon_threads is None:
        return
    model = held.tokenizer.backend_tokenizer.model
    if hasattr(model, "_clear_cache"):
        model._clear_cache()


def check_threads(held: LoadedTokenizer, cpu_cores: int) -> None:
    """Cores are the factor here: a row must not claim some that the tokenizer did not use.

    Raises:
        Unsupported: it runs on more or fewer threads.
    """
    if held.rayon_threads is None and cpu_cores > 1:
        raise Unsupported(
            f"cpu_cores = {cpu_cores}, but the tokenizer of {held.files.name!r} is written in Python and runs on one "
            "core; measure it with cpu_cores = [1], or take a model that has a tokenizer.json"
        )
    if held.rayon_threads not in (None, cpu_cores):
        raise Unsupported(
            f"cpu_cores = {cpu_cores}, but tokenizers run on {held.rayon_threads} of Rayon's threads in this process: "
            "its first batch decided that for good; run with --address local, where each slot has its own process"
        )
