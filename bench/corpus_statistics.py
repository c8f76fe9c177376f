"""Statistics of a large corpus: words, seconds, and the peak of memory.

    python -m bench.corpus_statistics [--words 20000000] [--folder DIR]

The corpus is synthetic, with paired records of very unlike lengths; its words follow Zipf's law, so that new terms keep
coming as they do in prose. It is written under `--folder`, which keeps it for the next call. The statistics are made in
a process of their own, so that the peak of its memory is its own; the same process is measured before its first record,
with all its imports.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer

from analysis.corpus_statistics.one_pass import measure_lengths
from analysis.corpus_statistics.scored_corpus import ScoredCorpus, open_scored
from analysis.corpus_statistics.term_weights import weigh_terms
from scoring.corpora.corpus import Corpus, CorpusSettings

FOLDER: Final = Path(tempfile.gettempdir()) / "bench-corpus-statistics"
VOCABULARY: Final = 3_000_000
"""Different words that may occur."""
ZIPF: Final = 1.25
MEAN_WORDS: Final = (600, 200)
"""Words of a human and a synthetic text."""


def write_corpus(path: Path, words: int) -> None:
    """Write records in JSON lines until they hold so many words."""
    draw, written = np.random.default_rng(0), 0
    half = path.with_suffix(".half")
    with half.open("w", encoding="utf-8") as file:
        while written < words:
            lengths = [1 + int(draw.lognormal(np.log(mean), 0.5)) for mean in MEAN_WORDS]
            written += sum(lengths)
            human, synthetic = (" ".join(map(_word, draw.zipf(ZIPF, length))) for length in lengths)
            file.write(json.dumps({"human": human, "synthetic": synthetic}) + "\n")
    half.rename(path)


def _word(rank: int) -> str:
    """Return the word of a rank: the digits in letters, so that a frequent word is short."""
    return "w" + "".join(chr(ord("a") + int(digit)) for digit in str(rank % VOCABULARY))


def peak_mib() -> float:
    """Return the peak of this process' resident memory."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")  # ru_maxrss begins with the parent's peak
    return int(status.partition("VmHWM:")[2].split()[0]) / 2**10


def measure(path: Path) -> str:
    """Make all statistics of a corpus, as a page does; a line of words, seconds and peaks of memory."""
    level = {"path": str(path), "human": "human", "synthetic": "synthetic"}
    before_mib, started = peak_mib(), time.perf_counter()
    history = Corpus.open(CorpusSettings(path=str(path), human="human", synthetic="synthetic")).history
    seconds = [time.perf_counter() - started]
    corpus: ScoredCorpus = open_scored(level, {"corpora": {json.dumps(level): history}})
    seconds.append(time.perf_counter() - started)
    lengths = measure_lengths(corpus.records())
    lengths_mib = peak_mib()
    seconds.append(time.perf_counter() - started)
    weights = weigh_terms(corpus.records)
    seconds.append(time.perf_counter() - started)
    words = sum(sums.words.total for sums in lengths.structure.total().authors.values())
    _, opened, measured, weighed = (end - start for start, end in zip([0, *seconds], seconds, strict=False))
    return (
        f"{words:,} words, {len(weights.vocabulary.places):,} terms ({weights.vocabulary.dropped:,} dropped): "
        f"open {opened:.1f} s, lengths {measured:.1f} s, TF-IDF {weighed:.1f} s; "
        f"peak {before_mib:,.0f} MiB before, {lengths_mib:,.0f} after lengths, {peak_mib():,.0f} after TF-IDF"
    )


def main(
    words: Annotated[int, typer.Option(min=1)] = 20_000_000,
    folder: Annotated[Path, typer.Option()] = FOLDER,
    in_process: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Print one line."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{words}.jsonl"
    if not path.exists():
        write_corpus(path, words)
    if in_process:
        typer.echo(measure(path))
        return
    command = [sys.executable, "-m", "bench.corpus_statistics", "--in-process", "--words", str(words)]
    subprocess.run([*command, "--folder", str(folder)], check=True)


if __name__ == "__main__":
    typer.run(main)
