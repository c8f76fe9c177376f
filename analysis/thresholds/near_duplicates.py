"""Near-duplicates: texts that share at least half of their shingles of five words.

Jaccard similarity of the sets of shingles (Broder 1997), of words in lower case. Up to `EXACT` texts every pair is
compared, by a sparse product. Beyond, only pairs that share a band of a MinHash signature are: a pair of similarity 0.5
is compared with probability 0.996, one of 0.6 with 0.99999. Records that are linked by a chain of such pairs are one
cluster.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from analysis.thresholds.records import Link, smallest_of_each

WORDS: Final = 5
SIMILARITY: Final = 0.5
EXACT: Final = 10_000
BANDS, ROWS = 42, 3
_BLOCK: Final = 500
"""Texts that are compared with all others at a time."""
_FEATURES: Final = 2**24
_PRIME: Final = 2**31 - 1
Pairs = npt.NDArray[np.int64]


def near_duplicate_clusters(texts: Iterable[tuple[str, str]], exact: int = EXACT) -> dict[str, str]:
    """Return the cluster of each record, named by its smallest record.

    Args:
        texts: Record id and text; a record may have several texts.
        exact: Number of texts up to which every pair is compared.
    """
    from sklearn.feature_extraction.text import HashingVectorizer

    records: list[str] = []
    hashing = HashingVectorizer(
        analyzer=_shingles, n_features=_FEATURES, binary=True, norm=None, alternate_sign=False, dtype=np.float32
    )
    shingles = hashing.transform(_remembered(texts, records)) if (texts := [*texts]) else csr_matrix((0, 1))
    pairs = _every_pair(shingles) if len(records) <= exact else _banded_pairs(shingles)
    links: list[Link] = []
    for number, (one, other) in enumerate(pairs):
        links += [(records[one], number), (records[other], number)]
    return smallest_of_each(sorted(set(records)), links)


def _remembered(texts: Iterable[tuple[str, str]], records: list[str]) -> Iterator[str]:
    """Yield the texts, and add their records to a list."""
    for record, text in texts:
        records.append(record)
        yield text


def _shingles(text: str) -> Iterator[str]:
    """Yield the shingles of a text: one for a text of fewer words, and none for a text without words."""
    words = text.lower().split()
    if words:
        for first in range(max(1, len(words) - WORDS + 1)):
            yield " ".join(words[first : first + WORDS])


def _every_pair(shingles: Any) -> Iterator[tuple[int, int]]:
    """Yield the similar pairs among all."""
    sizes = np.diff(shingles.indptr)
    transposed = shingles.T.tocsr()
    for first in range(0, len(sizes), _BLOCK):
        shared = (shingles[first : first + _BLOCK] @ transposed).tocoo()
        rows = shared.row + first
        union = sizes[rows] + sizes[shared.col] - shared.data
        alike = (shared.col > rows) & (shared.data >= SIMILARITY * union)
        yield from zip(rows[alike].tolist(), shared.col[alike].tolist(), strict=True)


def _banded_pairs(shingles: Any) -> Iterator[tuple[int, int]]:
    """Yield the similar pairs among those that share a band of their signatures."""
    sizes = np.diff(shingles.indptr)
    filled = np.flatnonzero(sizes)
    random = np.random.default_rng(0)
    seen: set[tuple[int, int]] = set()
    for _ in range(BANDS):
        band = np.zeros(len(filled), np.uint64)
        for _ in range(ROWS):
            a, b = random.integers(1, _PRIME, size=2, dtype=np.int64)
            hashed = (shingles.indices.astype(np.int64) * a + b) % _PRIME
            smallest = np.minimum.reduceat(hashed, shingles.indptr[filled])
            band = band * np.uint64(_PRIME) + smallest.astype(np.uint64)
        candidates = _neighbours(band, filled)
        shared = np.asarray(shingles[candidates[:, 0]].multiply(shingles[candidates[:, 1]]).sum(axis=1)).ravel()
        union = sizes[candidates].sum(axis=1) - shared
        for one, other in candidates[shared >= SIMILARITY * union].tolist():
            if (one, other) not in seen:
                seen.add((one, other))
                yield one, other


def _neighbours(band: npt.NDArray[np.uint64], texts: npt.NDArray[np.int64]) -> Pairs:
    """Return each text of a bucket with the next one, and with the first one of the bucket."""
    order = np.argsort(band, kind="stable")
    ordered, members = band[order], texts[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    first = np.repeat(members[starts], np.diff([*starts, len(members)]))
    same = ordered[1:] == ordered[:-1]
    next_ones = np.stack([members[:-1][same], members[1:][same]], axis=1)
    first_ones = np.stack([first, members], axis=1)[first != members]
    return np.concatenate([next_ones, first_ones]).astype(np.int64)
