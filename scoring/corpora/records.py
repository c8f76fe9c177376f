"""From a row of a file to a record: texts with their authors, or the reason why there are none.

A row that is no valid record never stops anything: it becomes a record with a `null_reason`. Everything in a record
can be written as UTF-8.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from scoring.corpora.columns import OPTIONAL, Columns, Shape
from scoring.corpora.labels import Author, Authors, is_missing, label_key
from scoring.corpora.raw_rows import RawRow
from scoring.wording import utf8

__all__ = ["Author", "Columns", "Origin", "Record", "RecordMaker", "Text"]

NULL_REASONS: Final = {
    "bad_row": "the line is no JSON object, the row has more or fewer fields than the header, or cannot be decoded",
    "missing_column": "a column of the mapping is absent",
    "ambiguous_column": "several columns match the pattern of `synthetic`",
    "not_text": "a text column holds something else than text, null, or only a word such as NA or nan",
    "not_unicode": "the text holds half a surrogate pair and has no UTF-8",
    "unknown_label": "the label is neither one of human_labels nor one of synthetic_labels",
}
SHORT_CELL: Final = 40
"""Characters; what is longer is text."""
KNOWN_SHAPES: Final = 1000
"""Sets of columns that a maker remembers; more are looked at anew."""


@dataclass(frozen=True)
class Text:
    """One text of a record."""

    author: Author | None
    generator: str | None
    text: str


NO_TEXT: Final = Text(None, None, "")


@dataclass(frozen=True)
class Record:
    """The texts of one row; none where `null_reason` says why."""

    record_id: str
    dataset: str | None
    texts: tuple[Text, ...]
    null_reason: str | None = None


@dataclass(frozen=True)
class Origin:
    """What a file's name says about its rows."""

    dataset: str
    generator: str | None


class _BadRowError(Exception):
    """The message is a null reason."""


class RecordMaker:
    """Makes records of rows by one mapping."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._authors = Authors(columns.human_labels, columns.synthetic_labels)
        self._shapes: dict[tuple[str, ...], Shape] = {}

    def record(self, row: RawRow, origin: Origin) -> Record:
        """Make a record of a row; one that is not valid has no texts and says why."""
        values = row.values if row.values is not None else {}
        record_id = row.record_id or self.own_id(row) or row_name(row.file, row.index)
        dataset = _name_in(values, self._columns.dataset) or origin.dataset
        try:
            if row.values is None:
                raise _BadRowError("bad_row")
            texts = self._paired(values, origin) if self._columns.human else self._single(values, origin)
        except _BadRowError as reason:
            return Record(record_id, dataset, (), str(reason))
        return Record(record_id, dataset, texts)

    def author_of(self, label: object) -> Author | None:
        """Who wrote what has this label; None where neither list has it."""
        return self._authors.author(label_key(label))

    def own_id(self, row: RawRow) -> str | None:
        """The id that the row's own column gives; None where it gives none."""
        return _name_in(row.values, self._columns.id) if row.values is not None else None

    def shape(self, values: Mapping[str, object]) -> Shape:
        """Find the columns of the mapping in this row."""
        names = tuple(values)
        shape = self._shapes.get(names)
        if shape is None:
            shape = self._columns.shape(names)
            if len(self._shapes) < KNOWN_SHAPES:
                self._shapes[names] = shape
        return shape

    def keys_without_value(self, values: Mapping[str, object]) -> tuple[str, ...]:
        """Keys of optional columns that are named and have no value in this row."""
        return tuple(
            key for key in OPTIONAL if (name := getattr(self._columns, key)) and _name_in(values, name) is None
        )

    def _paired(self, values: Mapping[str, object], origin: Origin) -> tuple[Text, ...]:
        shape = self.shape(values)
        if shape.ambiguous:
            raise _BadRowError("ambiguous_column")
        if shape.human is None or shape.synthetic is None:
            raise _BadRowError("missing_column")
        generator = self._generator(values, origin) or _generator_from_column(shape.synthetic, self._columns)
        return (
            Text("human", generator, _text(values[shape.human])),
            Text("synthetic", generator, _text(values[shape.synthetic])),
        )

    def _single(self, values: Mapping[str, object], origin: Origin) -> tuple[Text, ...]:
        text, label = self._columns.text, self._columns.label
        if text is None or text not in values or (label is not None and label not in values):
            raise _BadRowError("missing_column")
        author = self.author_of(values[label]) if label is not None else None
        if label is not None and author is None:
            raise _BadRowError("unknown_label")
        return (Text(author, self._generator(values, origin), _text(values[text])),)

    def _generator(self, values: Mapping[str, object], origin: Origin) -> str | None:
        return _name_in(values, self._columns.generator) or origin.generator


def row_name(file: str, index: int) -> str:
    """Name of a row within its corpus."""
    return f"{file}:{index}"


def is_missing_text(text: str) -> bool:
    """Whether a cell is only what programs write for a text that is not there; a blank one is an empty text."""
    return len(text) < SHORT_CELL and not text.isspace() and text != "" and is_missing(text)


def _text(value: object) -> str:
    if not isinstance(value, str) or is_missing_text(value):
        raise _BadRowError("not_text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _BadRowError("not_unicode") from None
    return value


def _name_in(values: Mapping[str, object], column: str | None) -> str | None:
    """What a column says, as text; None where it is absent, null, blank, not a number, or no single value."""
    value = values.get(column) if column else None
    if not isinstance(value, str | int | float | Decimal) or value != value:
        return None
    text = utf8(str(value))
    return None if not text or text.isspace() else text


def _generator_from_column(synthetic: str, columns: Columns) -> str | None:
    """`falcon-7b` of the column `-fs-cml-models-Falcon-falcon-7b_generated_text_wo_prompt`."""
    suffix = (columns.synthetic or "").lstrip("*")
    is_pattern = suffix != columns.synthetic and suffix
    name = synthetic.removesuffix(suffix).strip("-_ ") or None if is_pattern else synthetic
    return name and utf8(name)
