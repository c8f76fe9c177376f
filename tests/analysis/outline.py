"""The outline of the published study, written out: each section with what its part of a page must hold.

A section that is renamed, dropped or moved, and one that lost its figure or table, differs from this list.
"""

import re
from dataclasses import dataclass

from tests.analysis.page_data import Article


@dataclass(frozen=True)
class Wanted:
    """Contents that a section must hold: titles of axes, tables and columns with their units, or patterns of them."""

    figure: tuple[str, ...] = ()
    """Titles of the axes of a figure, which must have marks."""
    table: tuple[str, ...] = ()
    """Titles or headers of a table, which must have numbers."""

    claims: tuple[str, ...] = ()
    """Headers of a table of effects, which only rows that are steady enough to carry a claim have."""

    def lacks(self, article: Article) -> list[str]:
        """Return what an article lacks, but for claims; of a section that sums up, sentences."""
        lacking = [f"a title '{one}'" for one in (*self.figure, *self.table) if not _is_in(one, article.titles)]
        if self.figure and not (article.figures and all(figure.marks >= FEWEST_MARKS for figure in article.figures)):
            lacking.append(f"figures with marks (they have {[figure.marks for figure in article.figures]})")
        if self.table and not (article.numbers and all(len(table) > 1 for table in article.tables)):
            lacking.append("tables with numbers")
        if not (self.figure or self.table or article.sentences):
            lacking.append("sentences")
        broken = [sentence for sentence in article.sentences if "could not be made" in sentence]
        empty = [cell for table in article.tables for row in table for cell in row if cell in ("nan", "None", "inf")]
        return [*lacking, *broken, *empty]

    def lacks_claims(self, article: Article) -> list[str]:
        """Return the claims that an article lacks."""
        return [one for one in self.claims if not _is_in(one, article.titles)]


FEWEST_MARKS = 3
TIME = r"\((µs|ms|s|min)\)"
RATE = "generation rate (tokens/s)"
TOKENS = "max new tokens"
SIZE = r"\((B|KiB|MiB|GiB)\)"
LOGIT_RATE = "calculation rate (tokens/s)"
EFFECTS = ("share of the variation", "p (Holm)")

LLAMA3 = "01 LLaMA3-8B: "
LOGITS = "02 Logit calculation: "
SCORES = "03 Perplexity ratio score: "

SUMMARY = Wanted()
OUTLINE: dict[str, Wanted] = {
    LLAMA3 + "§ 1.1 Model loading, TLDR": SUMMARY,
    LLAMA3 + "§ 1.2 LLaMA3 loading rate": Wanted(figure=("CPU cores", "load rate (1/s)")),
    LLAMA3 + "§ 1.3 Loading time averages, 16 CPU cores": Wanted(table=("source", f"Mean load time {TIME}")),
    LLAMA3 + "§ 1.4–1.5 Observations, conclusions": Wanted(table=("load rate (1/s)",), claims=EFFECTS),
    LLAMA3 + "§ 2.1 Inference, TLDR": SUMMARY,
    LLAMA3 + "§ 2.2 Generation rate, 4-bit vs 8-bit, 4 cores": Wanted(figure=(TOKENS, RATE, "quantization: 8-bit")),
    LLAMA3 + "§ 2.3 Inference time averages, 256 tokens, 4 cores": Wanted(
        table=(f"Mean inference time {TIME}", "device map", "quantization 4-bit", "quantization 8-bit")
    ),
    LLAMA3 + "§ 2.4 Generation rate, 4-bit": Wanted(figure=(TOKENS, RATE, "CPU cores")),
    LLAMA3 + "§ 2.5 Inference time averages, 4-bit, 256 tokens, 4 cores": Wanted(
        table=(f"Mean inference time {TIME}", "device map")
    ),
    LLAMA3 + "§ 2.7 Generation rate, CPU only": Wanted(figure=(TOKENS, RATE, "CPU cores")),
    LLAMA3 + "§ 2.8 Inference time averages, CPU only, 256 tokens": Wanted(
        table=(f"Mean inference time {TIME}", "CPU cores")
    ),
    LLAMA3 + "§ 2.10 Inference time averages, all devices, 256 tokens, 4 cores": Wanted(
        table=(f"Mean inference time {TIME}", "device map")
    ),
    LLAMA3 + "§ 2.6, 2.9 Observations, conclusions": Wanted(
        table=(RATE, f"total {TIME}", f"load time {TIME}", f"inference time {TIME}"), claims=EFFECTS
    ),
    LLAMA3 + "§ 3.1 Decoding strategy: generation rate, K80 vs GTX1070": Wanted(figure=(TOKENS, RATE, "contrastive")),
    LLAMA3 + "§ 3.2 Inference time averages K80 vs GTX1070, 256 tokens": Wanted(
        table=(f"Mean inference time {TIME}", "decoding strategy")
    ),
    LLAMA3 + "§ 3.2b Generation rate by model, GTX1070": Wanted(figure=(TOKENS, RATE, "model: .*", "contrastive")),
    LLAMA3 + "§ 3.4 Generation rate, CPU only": Wanted(figure=(TOKENS, RATE, "contrastive")),
    LLAMA3 + "§ 3.5 Generation rate by model, CPU only": Wanted(figure=(TOKENS, RATE, "model: .*", "contrastive")),
    LLAMA3 + "§ 3.3 Conclusion": Wanted(table=(RATE, "decoding strategy"), claims=EFFECTS),
    LOGITS + "§ 1.1 TLDR: logits": SUMMARY,
    LOGITS + "§ 1.2 Memory footprint, 4-bit": Wanted(figure=("input words", f"peak memory {SIZE}", "model: .*")),
    LOGITS + "§ 1.3 Logit calculation rate, 4-bit": Wanted(figure=("input words", LOGIT_RATE, "model: .*")),
    LOGITS + "§ 1.4 Rate and memory averages, LLaMA3-8B": Wanted(
        table=(f"Mean {LOGIT_RATE}", f"Mean peak memory {SIZE}", "input words")
    ),
    LOGITS + "§ 1.4b Memory: CPU vs GPU": Wanted(figure=("input words", f"peak memory {SIZE}")),
    LOGITS + "§ 1.5 Rate: CPU vs GPU": Wanted(
        figure=("input words", LOGIT_RATE), table=("device map", "longest that was measured (words)")
    ),
    LOGITS + "§ 1.6 Conclusions": Wanted(table=(LOGIT_RATE, "longest that was measured (words)"), claims=EFFECTS),
    LOGITS + "§ 2.1 TLDR: encoding": SUMMARY,
    LOGITS + "§ 2.2 Memory footprint, device map and sequence length": Wanted(
        figure=("input words", f"token ids {SIZE}")
    ),
    LOGITS + "§ 2.3 Encoding rate, device map and sequence length": Wanted(
        figure=("input words", "encoding rate (tokens/s)")
    ),
    SCORES + "§ 1.1 Hans et al. datasets: structure": Wanted(
        table=("generator", "dataset", "records", "human words mean", "synthetic words sd", "human fraction")
    ),
    SCORES + "§ 1.2.1 Text length distributions": Wanted(figure=("length (words)", "texts", "human", "synthetic")),
    SCORES + "§ 1.2.2 Human–synthetic length correlation by record": Wanted(
        figure=("words by humans", "synthetic words")
    ),
    SCORES + "§ 1.2.3 Text composition over records": Wanted(figure=("human fraction of words", "records")),
    SCORES + "§ 1.2.4 TF-IDF distributions": Wanted(figure=("TF-IDF", "human", "synthetic"), table=("term", "mean")),
    SCORES + "§ 2.1 Model benchmark": Wanted(
        figure=("Binoculars score", "human", "synthetic"), table=("pair", "AUROC.*", "human − synthetic", "p, Welch")
    ),
    SCORES + "§ 2.1 Model combinations": Wanted(table=("observer",)),
    SCORES + "§ 2.2 LLaMA3-8B": Wanted(figure=("Binoculars score", "human"), table=("pair", "AUROC.*")),
    SCORES + "Perplexity vs cross-perplexity": Wanted(figure=("log cross-perplexity", "log-perplexity", "human")),
    SCORES + "Perplexity ratio score distribution": Wanted(figure=("Binoculars score", "share of the author's texts")),
    SCORES + "Binoculars score by fragment length": Wanted(
        figure=("length (tokens)", "Binoculars score"), table=("tokens", "mean", "95% interval")
    ),
    SCORES + "Fragment length distribution": Wanted(figure=("length (words)", "length (tokens)", "human", "synthetic")),
    SCORES + "Scores of the panel": Wanted(
        figure=("false-positive rate", "true-positive rate"), table=("score", "AUROC.*", "TPR at FPR ≤ 5%")
    ),
    SCORES + "Thresholding": Wanted(
        figure=("length (tokens)", "false-positive rate, held out", "true-positive rate, held out"),
        table=("threshold", "FPR promised", "calibrated on", "fitted value"),
    ),
}
"""Contents of each section of the outline, by its heading, in the order of the page."""


def _is_in(wanted: str, titles: list[str]) -> bool:
    """Tell whether a title is the one that is wanted: the text itself, or a pattern of it."""
    return any(title == wanted or re.fullmatch(wanted, title) for title in titles)
