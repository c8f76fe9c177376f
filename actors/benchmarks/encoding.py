"""encoding: the speed at which a tokenizer turns texts into token ids, by number of cores; no model is loaded.

Timed: the tokenizer's call on a batch of texts, which Rayon's threads share. No text is used twice, and the tokenizer's
cache of words is emptied before each run, because a filled cache would make the tokenizer look faster than it is.

Shapes: N tokens of all texts of a batch, one text after the other.
"""

import gc
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import Field

from actors.benchmarks.base import OneTaskPerCell, timed_rows
from actors.benchmarks.model import BUILT_IN_MODELS, MODEL_NAMES, ModelId
from sweeps.errors import Unsupported
from sweeps.plan.declaration import Factors, PositiveInt, rehearsed_with
from sweeps.schema import COLUMNS, Columns
from sweeps.task import Row, Task, digest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from models.resolve import ModelFiles

NS_PER_S: Final = 1e9


class EncodingFactors(Factors):
    """Whose tokenizer, and how much it reads in one call."""

    model: ModelId = Field(
        description=f"model whose tokenizer is measured: {MODEL_NAMES}",
        json_schema_extra=rehearsed_with(*BUILT_IN_MODELS),
    )
    input_words: PositiveInt = Field(
        default=100, description="words of each text; texts are drawn anew for every run from the built-in ones"
    )
    texts: PositiveInt = Field(
        default=32,
        description="texts of one batch, which the cores share; with fewer texts than cores some cores have nothing to "
        "do",
    )
    move_to_device: bool = Field(
        default=False,
        description="true: the token ids are copied to the slot's device after the encoding, and the copy is timed "
        "apart",
    )


@dataclass
class LoadedTokenizer:
    """A tokenizer, its threads, and the device that its ids may be moved to."""

    tokenizer: "PreTrainedTokenizerBase"
    files: "ModelFiles"
    rayon_threads: int | None
    """Number of Rayon's threads, counted in this process; None for a tokenizer in Python, which does not use Rayon."""
    device: str
    """Torch name of the device to which the ids are moved, if they are."""


class Encoding(OneTaskPerCell):
    """Encoding of batches of texts by a tokenizer."""

    columns: ClassVar[Columns] = COLUMNS["encoding"]
    factors: ClassVar[type[Factors]] = EncodingFactors
    resource_kind: ClassVar[str | None] = "tokenizer"
    load_factors: ClassVar[tuple[str, ...]] = ("model",)

    def load(self, factors: EncodingFactors, devices: tuple[str, ...]) -> LoadedTokenizer:
        """Load the tokenizer, and no model.

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
        """Do nothing: the tokenizer is freed with its last reference."""

    def rows(self, held: LoadedTokenizer, task: Task, factors: EncodingFactors) -> Iterator[Row]:
        """Yield a row for each iteration, each over its own texts.

        Raises:
            Unsupported: the tokenizer's number of threads is not the cell's number of cores.
        """
        check_threads(held, factors.cpu_cores)
        return timed_rows(
            task, lambda number: measure(held, batch_of(factors, task.seed, number), factors.move_to_device)
        )


def batch_of(factors: EncodingFactors, seed: int, number: int) -> list[str]:
    """Return the texts of one run; each has its own seed, made of the sweep's seed, the run's number and its index."""
    from models.builtin.cache import sample_text

    seeds = (int(digest([seed, number, index]), base=16) for index in range(factors.texts))
    return [sample_text(factors.input_words, text_seed) for text_seed in seeds]


def measure(held: LoadedTokenizer, texts: Sequence[str], move: bool) -> Row:
    """Encode a batch, timed.

    Args:
        held: the tokenizer.
        texts: the batch.
        move: copy the ids to the slot's device afterwards, timed separately.

    Returns:
        The metrics of one row; special tokens are counted.
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
    """Copy all ids to `device`, as one tensor in pageable memory, and return the seconds; on `cpu`, within memory."""
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
    """Empty the cache of words of BPE and Unigram: texts of the same corpus mostly share their words."""
    if held.rayon_threads is None:
        return
    model = held.tokenizer.backend_tokenizer.model
    if hasattr(model, "_clear_cache"):
        model._clear_cache()


def check_threads(held: LoadedTokenizer, cpu_cores: int) -> None:
    """Check that the tokenizer uses as many threads as the row claims cores.

    Raises:
        Unsupported: the tokenizer runs on more or fewer threads.
    """
    if held.rayon_threads is None and cpu_cores > 1:
        raise Unsupported(
            f"cpu_cores = {cpu_cores}, but the tokenizer of {held.files.name!r} is written in Python and runs on one "
            "core; measure it with cpu_cores = [1], or take a model that has a tokenizer.json"
        )
    if held.rayon_threads not in (None, cpu_cores):
        raise Unsupported(
            f"cpu_cores = {cpu_cores}, but tokenizers run on {held.rayon_threads} of Rayon's threads in this process: "
            "its first batch fixed the number; run with --address local, where each slot has its own process"
        )
