"""From a row of a file to a record: texts with their authors, or the reason why there are none.

Two shapes of rows: paired (one column written by a human, one by a model) and labelled (a text and who wrote
it). A row that is no valid record never stops anything: it becomes a record with a `null_reason`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Author = Literal["human", "synthetic"]
NULL_REASONS: Final = {
    "bad_row": "the line is no JSON object, or the row cannot be decoded",
    "missing_column": "a column of the mapping is absent",
    "not_text": "a text column holds something else than text, or null",
    "not_unicode": "the text holds half a surrogate pair and has no UTF-8",
    "unknown_label": "the label is neither one of human_labels nor one of synthetic_labels",
}


class Columns(BaseModel):
    """Which columns hold what; `fnmatch` patterns where several files name the same thing differently."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    human: str | tuple[str, ...] | None = None
    """Paired: the human text; of several names the first that the row has."""
    synthetic: str | None = None
    """Paired: the machine's text; a pattern such as `*_generated_text_wo_prompt`."""
    text: str | None = None
    """Labelled: the text."""
    label: str | None = None
    """Labelled: who wrote it."""
    human_labels: tuple[str, ...] = ("human", "0", "false")
    synthetic_labels: tuple[str, ...] = ("synthetic", "machine", "ai", "generated", "1", "true")
    id: str | None = Field(default=None)
    """A column unique in the corpus; without it a record is named by its file and row."""
    dataset: str | None = None
    """A column; without it the dataset is named by the file."""
    generator: str | None = None
    """A column; without it the generator is named by the file or by the synthetic column."""

    @model_validator(mode="after")
    def _one_shape(self) -> "Columns":
        paired, labelled = (self.human, self.synthetic), (self.text, self.label)
        shapes = [all(shape) for shape in (paired, labelled)]
        halves = [any(shape) and not all(shape) for shape in (paired, labelled)]
        if sum(shapes) > 1 or any(halves):
            raise ValueError(
                "name either both of human and synthetic (paired) or both of text and label (labelled); "
                f"seen: human={self.human!r}, synthetic={self.synthetic!r}, "
                f"text={self.text!r}, label={self.label!r}"
            )
        return self

    @property
    def named(self) -> bool:
        """Whether the text columns are given at all."""
        return self.human is not None or self.text is not None


@dataclass(frozen=True)
class Row:
    """A raw row as read; small and picklable, so that it can be sent to where its file is not."""

    file: str
    """The file's name within the corpus."""
    index: int
    values: Mapping[str, object] | None
    """None where the row could not be decoded."""


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


def record_of(row: Row, columns: Columns, origin: Origin) -> Record:
    """Make a record of a row; one that is not valid has no texts and says why."""
    values = row.values if row.values is not None else {}
    own_id = values.get(columns.id) if columns.id else None
    record_id = str(own_id) if isinstance(own_id, str | int) else f"{row.file}:{row.index}"
    dataset = _named(values, columns.dataset) or origin.dataset
    try:
        if row.values is None:
            raise _BadRowError("bad_row")
        texts = _paired(values, columns, origin) if columns.human else _labelled(values, columns, origin)
    except _BadRowError as reason:
        return Record(record_id, dataset, (), str(reason))
    return Record(record_id, dataset, texts)


def _paired(values: Mapping[str, object], columns: Columns, origin: Origin) -> tuple[Text, ...]:
    names = (columns.human,) if isinstance(columns.human, str) else columns.human or ()
    human = next((name for name in names if name in values), None)
    synthetic = next((name for name in values if fnmatchcase(name, columns.synthetic or "")), None)
    if human is None or synthetic is None:
        raise _BadRowError("missing_column")
    generator = _named(values, columns.generator) or origin.generator or _from_column(synthetic, columns)
    return (
        Text("human", generator, _text(values[human])),
        Text("synthetic", generator, _text(values[synthetic])),
    )


def _labelled(values: Mapping[str, object], columns: Columns, origin: Origin) -> tuple[Text, ...]:
    if columns.text is None or columns.label is None or not {columns.text, columns.label} <= values.keys():
        raise _BadRowError("missing_column")
    label = str(values[columns.label]).strip().lower()
    authors: dict[str, Author] = dict.fromkeys(columns.synthetic_labels, "synthetic")
    authors |= dict.fromkeys(columns.human_labels, "human")
    if label not in authors:
        raise _BadRowError("unknown_label")
    generator = _named(values, columns.generator) or origin.generator
    return (Text(authors[label], generator, _text(values[columns.text])),)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _BadRowError("not_text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _BadRowError("not_unicode") from None
    return value


def _named(values: Mapping[str, object], column: str | None) -> str | None:
    value = values.get(column) if column else None
    return None if value is None else str(value)


def _from_column(synthetic: str, columns: Columns) -> str | None:
    """`falcon-7b` of the column `-fs-cml-models-Falcon-falcon-7b_generated_text_wo_prompt`."""
    suffix = (columns.synthetic or "").lstrip("*")
    is_pattern = suffix != columns.synthetic and suffix
    return synthetic.removesuffix(suffix).strip("-_ ") or None if is_pattern else synthetic
