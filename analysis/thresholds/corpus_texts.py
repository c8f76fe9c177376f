"""Near-duplicates and scripts of the human texts of a sweep's corpora, where the corpora can be read from here."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from analysis.thresholds.near_duplicates import near_duplicate_clusters
from analysis.thresholds.texts import HUMAN
from scoring.corpora.corpus import Corpus, CorpusSettings
from scoring.corpora.scripts import script_of
from scoring.errors import CorpusError

STRAY: Final = 0.01
"""Share of the texts below which a script is one of stray texts: thresholds are not calibrated on it."""


class Same(NamedTuple):
    """Records that count as one."""

    clusters: dict[str, str] | None
    """Cluster by record id; None: the texts are not there to compare."""
    remark: str
    """Sentence for the user; empty where there is nothing to say."""
    scripts: tuple[str, ...] | None = None
    """Scripts of the human texts, without those of stray texts; None where the texts are not there."""


def same_records(levels: list[Any], inputs: Any, wanted: set[str]) -> Same:
    """Compare the human texts of the corpora.

    Args:
        levels: Levels of the factor `corpus`, as the spec or the rows have them.
        inputs: Inputs of the sweep's environment file, with the history of each corpus.
        wanted: Record ids of the rows with human text.
    """
    if not levels:
        return Same(None, "near-duplicates are not known: the rows do not name their corpus")
    try:
        texts, unscored = _split(levels, inputs, wanted)
    except (CorpusError, ValidationError, OSError, ValueError, ImportError) as error:
        reason = " ".join(str(error).split())[:300]
        return Same(None, f"near-duplicates are not known: the corpus cannot be read from here ({reason})")
    if missing := len(wanted - {record for record, _ in texts}):
        return Same(
            None,
            f"near-duplicates are not known: {missing:,} of {len(wanted):,} records are not in the corpus as it is now",
        )
    clusters = near_duplicate_clusters(texts)
    merged = len(clusters) - len(set(clusters.values()))
    said = []
    if merged:
        said.append(f"{merged:,} of {len(clusters):,} records are near-duplicates, and count with another record")
    if unscored:
        said.append(
            f"{unscored:,} of {unscored + len(wanted):,} records with human text of the corpus have no row here: the "
            "run is not finished, the corpus has grown, or --where left them out"
        )
    return Same(clusters, "; ".join(said), _scripts(text for _, text in texts))


def _split(levels: list[Any], inputs: Any, wanted: set[str]) -> tuple[list[tuple[str, str]], int]:
    """Return record and text of the wanted records, and the number of the other records with human text."""
    texts: list[tuple[str, str]] = []
    others: set[str] = set()
    for level in levels:
        for record, text in _human_texts(level, inputs):
            if record in wanted:
                texts.append((record, text))
            else:
                others.add(record)
    return texts, len(others)


def _scripts(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the scripts that at least STRAY of the texts are written in."""
    counts = Counter(script for text in texts if (script := script_of(text)) is not None)
    return tuple(sorted(script for script, count in counts.items() if count >= STRAY * counts.total()))


def _human_texts(level: Any, inputs: Any) -> Iterator[tuple[str, str]]:
    """Yield record id and text of the human texts of a corpus."""
    parsed = json.loads(level) if isinstance(level, str) and level[:1] in '{"' else level
    corpus = Corpus.open(CorpusSettings.model_validate(parsed))
    histories = inputs.get("corpora") if isinstance(inputs, Mapping) else None
    history = histories.get(json.dumps(parsed)) if isinstance(histories, Mapping) else None
    for record in (corpus.continued(history) if history else corpus).records():
        for text in record.texts:
            if text.author == HUMAN:
                yield record.record_id, text.text
