"""Measure the scorer beside a naive scorer and beside the limit, in one run: `python -m bench.scoring`.

On a GPU: `python -m bench.scoring --device cuda:0 --dtype bfloat16 --texts 256`.

All contestants use the same models, the same token ids and the same machine. They take turns and their medians are
compared, so that a slow minute of the machine slows all of them down. Rates are real tokens per second of wall time,
and per second of CPU time of this process. On a busy machine only the second rate means something, with
`--threads 1`; on a GPU only the first one does.
"""

import ctypes
import gc
import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final, Literal

import torch
import typer
from rich.console import Console
from rich.table import Table
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

from bench.scoring_contestants import Contestant, Fused, Limit, Naive, Texts
from models.load import LoadedModel, load_model
from models.resolve import ModelFiles
from scoring.corpora.corpus import Corpus, CorpusSettings
from scoring.fragment_settings import fragment_settings
from scoring.fragments import cut
from scoring.pair_texts import default_token_budget

Section = Literal["large", "memory", "small", "prefix", "panel"]
SECTIONS: Final[tuple[Section, ...]] = ("large", "memory", "small", "prefix", "panel")
HIDDEN_SIZES: Final = (640, 2048)
Dtype = Literal["float32", "bfloat16"]
DTYPES: Final[dict[Dtype, torch.dtype]] = {"float32": torch.float32, "bfloat16": torch.bfloat16}
TOKENS_PER_WORD: Final = 1.33
"""Tokens per word of English prose with a vocabulary of 262k: gives lengths for a model without a tokenizer."""
PREFIXES: Final = tuple(range(16, 513, 16))
CONSOLE: Final = Console(highlight=False)


@dataclass(frozen=True)
class Rate:
    """Median rates of one contestant."""

    name: str
    tokens_per_s: float
    tokens_per_cpu_s: float


def race(contestants: Sequence[Contestant], texts: Texts, rounds: int) -> list[Rate]:
    """Time the contestants on `texts` in turns, after an untimed run of each on the shortest text."""
    shortest = [min(texts, key=len)]
    for contestant in contestants:
        contestant.run(shortest)
    timed = [[_timed(partial(contestant.run, texts)) for contestant in contestants] for _ in range(rounds)]
    tokens = sum(len(ids) for ids in texts)
    return [
        Rate(contestant.name, *(tokens / statistics.median(clock) for clock in zip(*own, strict=True)))
        for contestant, own in zip(contestants, zip(*timed, strict=True), strict=True)
    ]


def _timed(run: Callable[[], object]) -> tuple[float, float]:
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    _finish()
    return time.perf_counter() - wall, time.process_time() - cpu


def _finish() -> None:
    """Wait for work that a GPU has not done yet."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_above_baseline(run: Callable[[], object], device: torch.device) -> int:
    """Return the peak of memory during `run`, less the memory before it, in bytes.

    On a GPU that is the memory of torch's allocator, on the CPU the resident memory of this process.
    """
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        _finish()
        return torch.cuda.max_memory_allocated(device) - before
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM to the present
    before = _status("VmRSS")
    run()
    return _status("VmHWM") - before


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


def large_pair(
    layers: int, dtype: torch.dtype, device: torch.device, hidden_size: int = 640
) -> tuple[LoadedModel, LoadedModel]:
    """Return two random models of Gemma 3 270M's shape (18 layers, hidden size 640): vocabulary 262144."""
    config = Gemma3TextConfig(
        vocab_size=262144,
        hidden_size=hidden_size,
        intermediate_size=2048,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=1,
        head_dim=256,
    )
    pair = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = Gemma3ForCausalLM(config).to(device, dtype).eval()
        tokenizer = load_model("builtin://tiny-base").tokenizer  # only probes need one, any ids will do
        files = ModelFiles(f"random-{seed}", Path(), None, None)
        pair.append(LoadedModel(model, tokenizer, files, "none", dtype))
    return pair[0], pair[1]


def random_texts(count: int, vocabulary: int) -> list[list[int]]:
    """Return random ids for fragments of 10–300 words."""
    draw = random.Random(0)
    lengths = [round(draw.randint(10, 300) * TOKENS_PER_WORD) for _ in range(count)]
    return [[draw.randrange(vocabulary) for _ in range(length)] for length in lengths]


def docs_texts(count: int, tokenizer: Callable[[str], dict[str, list[int]]]) -> list[list[int]]:
    """Return ids of fragments of 10–300 words from the built-in corpus, in the order of the corpus."""
    settings = fragment_settings({"mode": "random", "min_words": 10, "max_words": 300})
    corpus = Corpus.open(CorpusSettings(path="builtin://docs"))
    texts = (f.text for record in corpus.records() for f in cut(record, settings).fragments if f.text)
    return [tokenizer(text)["input_ids"][:512] for text, _ in zip(texts, range(count), strict=False)]


def show(title: str, rates: Sequence[Rate]) -> None:
    """Print the rates, and how many times faster the first contestant is than each."""
    table = Table("contestant", "tokens/s", "tokens/CPU s", "fused is × (wall)", "fused is × (CPU)", title=title)
    ours = rates[0]
    for rate in rates:
        wall, cpu = ours.tokens_per_s / rate.tokens_per_s, ours.tokens_per_cpu_s / rate.tokens_per_cpu_s
        table.add_row(
            rate.name, f"{rate.tokens_per_s:.1f}", f"{rate.tokens_per_cpu_s:.1f}", f"{wall:.2f}", f"{cpu:.2f}"
        )
    CONSOLE.print(table)


def large(dtype: Dtype, device: torch.device, quick: bool, rounds: int, count: int) -> list[Rate]:
    """Race with a vocabulary of 262144."""
    pair = large_pair(2 if quick else 18, DTYPES[dtype], device)
    texts = random_texts(count, 262144)
    contestants: list[Contestant] = [
        Fused(*pair, default_token_budget(pair[0])),
        Naive(*pair, 1),
        Naive(*pair, 4),
        Limit(*pair, 512),
    ]
    rates = race(contestants, texts, rounds)
    show(f"vocabulary 262144, {dtype}, {len(texts)} fragments, {sum(map(len, texts))} tokens", rates)
    return rates


def memory(dtype: Dtype, device: torch.device, quick: bool) -> dict[str, int]:
    """Measure the peak memory above the weights, with a batch of 4 × 400 tokens."""
    pair = large_pair(2 if quick else 18, DTYPES[dtype], device)
    texts = [[7 * i % 262144 for i in range(400)] for _ in range(4)]
    peaks = {}
    for contestant in (Fused(*pair, default_token_budget(pair[0])), Naive(*pair, 4)):
        contestant.run([texts[0][:32]])
        peaks[contestant.name] = peak_above_baseline(partial(contestant.run, texts), device)
    ours, naive = peaks.values()
    CONSOLE.print(
        f"peak memory beyond weights, {dtype}, 4 × 400 tokens, vocabulary 262144: "
        f"fused {ours / 2**20:.0f} MiB, naive {naive / 2**20:.0f} MiB: 1/{naive / ours:.1f}"
    )
    return peaks


def small(dtype: Dtype, device: torch.device, quick: bool, rounds: int) -> list[Rate]:
    """Race with the built-in models and texts of mixed lengths, the naive scorer with several batch sizes."""
    names = ("builtin://tiny-base", "builtin://tiny-instruct")
    first, second = (load_model(name, devices=(str(device),), dtype=dtype) for name in names)
    pair = first, second
    texts = docs_texts(64 if quick else 256, pair[0].tokenizer)
    naive: list[Contestant] = [Naive(*pair, size) for size in (1, 2, 4, 8, 16, 32)]
    rates = race([Fused(*pair, default_token_budget(first)), *naive, Limit(*pair, 512)], texts, rounds)
    show(f"built-in models, vocabulary 2048, {dtype}, {len(texts)} fragments, {sum(map(len, texts))} tokens", rates)
    return rates


def prefix(device: torch.device, quick: bool, rounds: int) -> float:
    """Score 32 prefixes of a text of 512 tokens in one pass, and as 32 texts; return the ratio of the times."""
    pair = large_pair(2 if quick else 18, torch.float32, device)
    text = random_texts(40, 262144)
    whole = [token for ids in text for token in ids][: PREFIXES[-1]]
    truncated = [whole[:length] for length in PREFIXES]
    fused = Fused(*pair, default_token_budget(pair[0]))
    fused.run([whole[:16]])
    timed = [(_timed(lambda: fused.run([whole])), _timed(lambda: fused.run(truncated))) for _ in range(rounds)]
    clock = "CPU" if device.type == "cpu" else "wall"  # a GPU's work is no CPU time
    place = int(clock == "CPU")
    one, many = (statistics.median(taken[place] for taken in column) for column in zip(*timed, strict=True))
    CONSOLE.print(
        f"prefix curve of 32 lengths up to 512, vocabulary 262144, {clock} time: one pass {one:.2f} s, "
        f"32 truncations in batches {many:.2f} s: {many / one:.1f}× faster"
    )
    return float(many / one)


def panel(dtype: Dtype, device: torch.device, quick: bool, rounds: int, count: int) -> dict[str, float]:
    """Compare scoring with the panel to Binoculars alone: the median ratio of the rounds, each of which runs both.

    The deeper the models, the smaller the ratio: the cost of the panel does not depend on the bodies.
    """
    ratios: dict[str, float] = {}
    for hidden_size in HIDDEN_SIZES:
        pair = large_pair(2 if quick else 18, DTYPES[dtype], device, hidden_size)
        texts = random_texts(count, 262144)
        alone, both = (Fused(*pair, default_token_budget(pair[0]), panel=panel) for panel in (False, True))
        for contestant in (alone, both):
            contestant.run([min(texts, key=len)])
        timed = [(_timed(partial(alone.run, texts)), _timed(partial(both.run, texts))) for _ in range(rounds)]
        wall, cpu = (statistics.median(two[clock] / one[clock] for one, two in timed) for clock in (0, 1))
        peaks = [peak_above_baseline(partial(contestant.run, texts), device) / 2**20 for contestant in (alone, both)]
        CONSOLE.print(
            f"panel against Binoculars alone, hidden size {hidden_size}, vocabulary 262144, {dtype}, {len(texts)} "
            f"fragments, {sum(map(len, texts))} tokens: {cpu:.3f} of the CPU time, {wall:.3f} of the wall time; peak "
            f"memory beyond the weights {peaks[1]:.0f} MiB, alone {peaks[0]:.0f} MiB"
        )
        ratios |= {f"cpu_{hidden_size}": cpu, f"wall_{hidden_size}": wall}
    return ratios


def main(
    section: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(SECTIONS)}; repeatable; default: all.")
    ] = None,
    dtype: Annotated[Dtype, typer.Option(help="Dtype of the models; prefix always takes float32.")] = "float32",
    device: Annotated[str, typer.Option(help="torch name of the device, such as cuda:0.")] = "cpu",
    texts: Annotated[int, typer.Option(min=1, help="Number of fragments for large and panel.")] = 8,
    rounds: Annotated[int, typer.Option(min=1)] = 3,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of torch; default: all cores.")] = None,
    quick: Annotated[bool, typer.Option(help="Two layers and few texts: a smoke test, no figures.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the figures as JSON.")] = None,
) -> None:
    """Race the scorer against the others."""
    if threads is not None:
        torch.set_num_threads(threads)
    place = torch.device(device)
    runs: dict[str, Callable[[], object]] = {
        "large": lambda: [asdict(rate) for rate in large(dtype, place, quick, rounds, texts)],
        "memory": lambda: memory(dtype, place, quick),
        "small": lambda: [asdict(rate) for rate in small(dtype, place, quick, rounds)],
        "prefix": lambda: prefix(place, quick, rounds),
        "panel": lambda: panel(dtype, place, quick, rounds, texts),
    }
    card = f" on {torch.cuda.get_device_name(place)}" if place.type == "cuda" else ""
    CONSOLE.print(f"torch {torch.__version__}{card}, {torch.get_num_threads()} threads, {dtype}, {rounds} rounds")
    figures = {name: runs[name]() for name in section or SECTIONS}
    if out is not None:
        out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
