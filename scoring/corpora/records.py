"""Records of rows: texts with their authors, or the reason why a row has no texts.

A row that is no valid record raises nothing: it becomes a record with a `null_reason`. All text in a record can be
written as UTF-8.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from scoring.corpora.columns import Columns, Shape
from scoring.corpora.labels import Author, Authors, is_missing, label_key
from scoring.corpora.raw_rows import RawRow, Values
from scoring.wording import utf8

__all__ = ["Author", "Columns", "Origin", "Record", "RecordMaker", "Text"]

NULL_REASONS: Final = {
    "bad_row": "the line is no JSON object, the row has more or fewer fields than the header, or cannot be decoded",
    "missing_column": "a column of the mapping is absent",
    "ambiguous_column": "several columns match the pattern of `synthetic`",
    "not_text": "a text column holds no text or list of texts, or only a word for a missing text, such as NA or nan",
    "not_unicode": "the text holds half a surrogate pair and has no UTF-8",
    "unknown_label": "the label is neither one of human_labels nor one of synthetic_labels",
}
SHORT_CELL: Final = 40
"""Characters from which on a cell is text, even where its words look like a missing value."""
KNOWN_SHAPES: Final = 1000
"""Sets of column names whose shape a `RecordMaker` remembers, at most."""


@dataclass(frozen=True)
class Text:
    """A text of a record, with its author."""

    author: Author | None
    generator: str | None
    text: str


NO_TEXT: Final = Text(None, None, "")


@dataclass(frozen=True)
class Record:
    """The texts of a row. A record without texts has a `null_reason`."""

    record_id: str
    dataset: str | None
    texts: tuple[Text, ...]
    null_reason: str | None = None
    group: str | None = None
    """Subgroup that its author belongs to, by the corpus; None where the corpus does not say."""


@dataclass(frozen=True)
class Origin:
    """Dataset and generator of a file's rows, by the file's name."""

    dataset: str
    generator: str | None


class _BadRowError(Exception):
    """Raised for a row that is no valid record. The message is the null reason."""


class RecordMaker:
    """Makes records of rows, by a mapping of columns."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._authors = Authors(columns.human_labels, columns.synthetic_labels)
        self._optional = columns.optional
        self._shapes: dict[tuple[str, ...], Shape] = {}

    def record(self, row: RawRow, origin: Origin) -> Record:
        """Make a record of a row; without texts and with a `null_reason` where the row is not valid."""
        values = row.values if row.values is not None else {}
        record_id = row.record_id or self.own_id(row.values) or row_name(row.file, row.index)
        dataset = _name_in(values, self._columns.dataset) or origin.dataset
        group = _name_in(values, self._columns.group)
        try:
            if row.values is None:
                raise _BadRowError("bad_row")
            texts = self._paired(values, origin) if self._columns.human else self._single(values, origin)
        except _BadRowError as reason:
            return Record(record_id, dataset, (), str(reason), group)
        return Record(record_id, dataset, texts, group=group)

    def author_of(self, label: object) -> Author | None:
        """Return the author of texts with this label; None where neither list has the label."""
        return self._authors.author(label_key(label))

    def own_id(self, values: Values) -> str | None:
        """Return the id in the row's id column; None where there is none."""
        return _name_in(values, self._columns.id) if values is not None else None

    def shape(self, values: Mapping[str, object]) -> Shape:
        """Find the columns of the mapping among those of this row."""
        names = tuple(values)
        shape = self._shapes.get(names)
        if shape is None:
            shape = self._columns.shape(names)
            if len(self._shapes) < KNOWN_SHAPES:
                self._shapes[names] = shape
        return shape

    def keys_without_value(self, values: Mapping[str, object]) -> tuple[str, ...]:
        """Return the keys of optional columns that the mapping names and that have no value in this row."""
        return tuple([key for key, name in self._optional.items() if _name_in(values, name) is None])

    def _paired(self, values: Mapping[str, object], origin: Origin) -> tuple[Text, ...]:
        shape = self.shape(values)
        if shape.ambiguous:
            raise _BadRowError("ambiguous_column")
        if shape.human is None or shape.synthetic is None:
            raise _BadRowError("missing_column")
        generator = self._generator(values, origin) or _generator_from_column(shape.synthetic, self._columns)
        return (
            *[Text("human", generator, text) for text in _texts(values[shape.human])],
            *[Text("synthetic", generator, text) for text in _texts(values[shape.synthetic])],
        )

    def _single(self, values: Mapping[str, object], origin: Origin) -> tuple[Text, ...]:
        text, label = self._columns.text, self._columns.label
        if text is None or text not in values or (label is not None and label not in values):
            raise _BadRowError("missing_column")
        author = self.author_of(values[label]) if label is not None else None
        if label is not None and author is None:
            raise _BadRowError("unknown_label")
        cell, generator = values[text], self._generator(values, origin)
        if isinstance(cell, str):
            return (Text(author, generator, _text(cell)),)
        return tuple([Text(author, generator, item) for item in _texts(cell)])

    def _generator(self, values: Mapping[str, object], origin: Origin) -> str | None:
        return _name_in(values, self._columns.generator) or origin.generator


def row_name(file: str, index: int) -> str:
    """Return the name of a row within its corpus."""
    return f"{file}:{index}"


def is_missing_text(text: str) -> bool:
    """Return True where a cell only holds a word for a missing text, such as NA. A blank cell is an empty text."""
    return len(text) < SHORT_CELL and not text.isspace() and text != "" and is_missing(text)


def is_list_of_texts(value: object) -> bool:
    """Return True where a cell holds several texts: a list of nothing else, which is not empty."""
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def _texts(value: object) -> tuple[str, ...]:
    """Return the text of a cell, or the texts of a list."""
    if isinstance(value, list) and is_list_of_texts(value):
        return tuple(map(_text, value))
    return (_text(value),)


def _text(value: object) -> str:
    if not isinstance(value, str) or is_missing_text(value):
        raise _BadRowError("not_text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _BadRowError("not_unicode") from None
    return value


def _name_in(values: Mapping[str, object], column: str | None) -> str | None:
    """Return the value of a column as text; None where it is absent, null, blank, NaN, a list or a table."""
    if not column:
        return None
    value = values.get(column)
    if not isinstance(value, str | int | float | Decimal) or value != value:
        return None
    text = utf8(str(value))
    return None if not text or text.isspace() else text


def _generator_from_column(synthetic: str, columns: Columns) -> str | None:
    """Return the part of a column's name that the pattern's `*` matches; the whole name where there is no pattern."""
    suffix = (columns.synthetic or "").lstrip("*")
    is_pattern = suffix != columns.synthetic and suffix
    name = synthetic.removesuffix(suffix).strip("-_ ") or None if is_pattern else synthetic
    return name and utf8(name)
