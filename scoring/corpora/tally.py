"""Counts of the rows of a corpus, in one pass and in bounded memory. `scoring.corpora.survey` words them."""

from array import array
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import numpy as np

from scoring.blanks import script_characters
from scoring.corpora.columns import Columns, Shape
from scoring.corpora.file_tally import FileTally, add_encoding, note_flaw
from scoring.corpora.labels import TRUTH, is_missing, label_key
from scoring.corpora.raw_rows import ParsedRow
from scoring.corpora.records import Record, RecordMaker, is_list_of_texts, is_missing_text
from scoring.wording import printable, quoted

MAX_KINDS: Final = 1000
"""Different labels, generators and so on that are counted apart. Further ones are counted together, as `OTHERS`."""
OTHERS: Final = "(others)"
HEAD_CHARACTERS: Final = 400


class Tally:
    """Counts of all files together."""

    def __init__(self, columns: Columns, maker: RecordMaker, encoding: str | None = None) -> None:
        self.files: list[FileTally] = []
        self.texts: Counter[str] = Counter()
        """Texts by author."""
        self.labels: Counter[tuple[str, str]] = Counter()
        """Rows by known label, as written, and its author."""
        self.numeric_labels = 0
        """Rows whose known label is a number or a boolean."""
        self.unknown_labels: Counter[str] = Counter()
        self.datasets: Counter[str] = Counter()
        self.generators: Counter[str] = Counter()
        self.without_value: Counter[str] = Counter()
        """Rows without a value in an optional column, by its key."""
        self.odd_ids: Counter[str] = Counter()
        """Ids that are neither text nor whole numbers, by their type."""
        self.escaped: Counter[str] = Counter()
        """Rows with half a surrogate pair in an id, dataset or generator, by its key."""
        self.null_labels: Counter[str] = Counter()
        """Rows without a label, by what the label column holds, as written."""
        self.missing_texts: dict[str, Counter[str]] = {}
        """Cells that hold only `NA` or the like, by column and as written."""
        self.blank_texts = 0
        self.without_blanks = 0
        self._columns, self._maker, self._encoding = columns, maker, encoding
        self._optional = columns.optional
        self._last_shape: Shape | None = None
        self._text_hashes = array("q")

    def start(self, file: str, name: str, reads_from_start: bool) -> None:
        """Begin the counts of the next file."""
        self.files.append(FileTally(file, name, reads_from_start))
        self._last_shape = None

    def add(self, raw: ParsedRow, record: Record) -> None:
        """Count a row of the file begun last, and inspect its texts."""
        tally = self.files[-1]
        if raw.flaw is not None:
            note_flaw(tally, raw)
        if record.null_reason is not None:
            tally.reasons[record.null_reason] += 1
            tally.half_pair_rows += record.null_reason == "not_unicode" and not raw.undecodable
        if raw.values is not None and self._encoding is not None:
            add_encoding(tally, raw.values, self._encoding)
        self.count(raw, record, 1)
        for text in record.texts:
            self.inspect(text.author, text.text)

    def count(self, raw: ParsedRow, record: Record, rows: int) -> None:
        """Count so many rows that are like this one but for their texts. Several rows must be records."""
        tally = self.files[-1]
        tally.rows += rows
        if raw.values is not None and rows:
            self._add_values(tally, raw, raw.values, record, rows)
        if record.texts and rows:
            count(self.datasets, record.dataset or "", rows)
        for text in record.texts:
            self.texts[text.author or "unknown"] += rows
            if text.generator is not None and text.author != "human" and rows:
                count(self.generators, text.generator, rows)

    def inspect(self, author: str | None, text: str) -> None:
        """Look at the words of a text."""
        if author != "synthetic":
            self._text_hashes.append(hash(text))
        head = text[:HEAD_CHARACTERS]
        words = len(head.split())
        self.blank_texts += not words
        self.without_blanks += script_characters(head) > 0

    @property
    def repeated_texts(self) -> int:
        """Number of texts by humans or unknown authors that an earlier record has as well, compared by hash."""
        hashes = np.frombuffer(self._text_hashes, np.int64) if self._text_hashes else np.empty(0, np.int64)
        return len(hashes) - len(np.unique(hashes))

    def _add_values(
        self, tally: FileTally, raw: ParsedRow, values: Mapping[str, object], record: Record, rows: int
    ) -> None:
        shape = self._maker.shape(values)
        if shape is not self._last_shape:  # most files have the same columns in every row
            self._last_shape = shape
            if len(tally.columns) < MAX_KINDS:
                tally.columns.update(dict.fromkeys(values))
        for key in shape.missing:
            tally.missing[key] += rows
        if shape.human is not None and shape.synthetic is not None:
            count(tally.matched, f"{shape.human} with {shape.synthetic}", rows)
        if shape.ambiguous:
            count(tally.ambiguous, " and ".join(shape.ambiguous), rows)
        for key in self._maker.keys_without_value(values):
            self.without_value[key] += rows
        if record.null_reason == "not_text":
            self._add_not_text(tally, {name: values[name] for name in self.text_columns(values)})
        label = self._columns.label
        if label is not None and label in values:
            self._add_label(values[label], record, rows)
        for key, name in self._optional.items():
            if (value := values.get(name)) is not None:
                if key == "id" and (isinstance(value, bool) or not isinstance(value, str | int)):
                    self.odd_ids[type(value).__name__] += 1
                if not raw.undecodable and isinstance(value, str) and not value.isascii() and _has_half_pair(value):
                    self.escaped[key] += 1

    def text_columns(self, values: Mapping[str, object]) -> list[str]:
        """Return the names of the text columns that a row has."""
        shape = self._maker.shape(values)
        named = (shape.human, shape.synthetic, self._columns.text)
        return [name for name in named if name is not None and name in values]

    def _add_not_text(self, tally: FileTally, cells: Mapping[str, object]) -> None:
        others = {name: _kind_of(cell) for name, cell in cells.items() if not _holds_text(cell)}
        for name, cell in cells.items():
            texts = [] if name in others else cell if isinstance(cell, list) else [cell]
            for text in filter(is_missing_text, map(str, texts)):
                count(self.missing_texts.setdefault(name, Counter()), text.strip())
        tally.not_text_rows += bool(others)
        for name, kind in others.items():
            count(tally.not_text, f"column {quoted(name)} holds {kind}")

    def _add_label(self, label: object, record: Record, rows: int) -> None:
        if record.null_reason == "unknown_label":
            if is_missing(label):
                self.null_labels["null" if label is None else printable(str(label).strip()) or "blank"] += 1
            else:
                count(self.unknown_labels, str(label)[:MAX_KINDS])
        elif author := self._maker.author_of(label):
            self.numeric_labels += rows * (label_key(label) in TRUTH.values())
            known = (str(label)[:MAX_KINDS], author)
            self.labels[known if known in self.labels or len(self.labels) < MAX_KINDS else (OTHERS, "")] += rows


def count(counter: Counter[str], item: str, times: int = 1) -> None:
    """Count an item some times; as `OTHERS` where there are `MAX_KINDS` different items already."""
    if item not in counter and len(counter) >= MAX_KINDS:
        item = OTHERS
    counter[item] += times


def _holds_text(cell: object) -> bool:
    return isinstance(cell, str) or is_list_of_texts(cell)


def _kind_of(value: object) -> str:
    if isinstance(value, float | Decimal) and value != value:
        return "NaN"
    kinds = {type(None): "null", bool: "booleans", list: "lists", dict: "tables", bytes: "bytes", Decimal: "numbers"}
    kinds |= {int: "numbers", float: "numbers"}
    return kinds.get(type(value), f"values of type {type(value).__name__}")


def _has_half_pair(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)
