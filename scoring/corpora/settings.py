"""Settings of a corpus in a spec, and the known columns of the built-in corpus and of the paper's six files."""

import codecs
from pathlib import PurePosixPath
from typing import Final

from pydantic import Field, field_validator, model_validator

from scoring.corpora.columns import Columns
from scoring.corpora.raw_rows import Dialect
from scoring.corpora.records import Origin
from scoring.corpora.streams import suffixes
from scoring.wording import did_you_mean, quoted

BUILTIN_DOCS: Final = "builtin://docs"
PAPER_COLUMNS: Final = Columns(human=("article", "text"), synthetic="*_generated_text_wo_prompt")
"""Columns of the paper's six files (github.com/ahans30/Binoculars, datasets/core)."""
PAPER_DATASETS: Final = ("cc_news", "cnn", "pubmed")
PAPER_GENERATORS: Final = {"falcon7": "falcon-7b", "llama2_13": "llama2-13b"}
PAPER_FILES: Final = {
    f"{dataset}-{key}": Origin(dataset, generator)
    for dataset in PAPER_DATASETS
    for key, generator in PAPER_GENERATORS.items()
}
DOCS_COLUMNS: Final = Columns(human="human", synthetic="synthetic", id="id", dataset="dataset", generator="generator")
NOT_COLUMNS: Final = {"path", "encoding", "delimiter", "first_rows"}
COMMON_ENCODINGS: Final = ("utf-8", "latin-1", "cp1252", "utf-16", "shift_jis", "gb18030", "big5", "koi8-r")


class CorpusSettings(Columns):
    """Settings of a corpus: a path, and the columns of its texts.

    `path` is a file, a folder, a glob, `hf://dataset[:split]` or `builtin://docs`. Without columns a corpus is read as
    the paper's files are.
    """

    path: str = Field(min_length=1)
    encoding: str | None = None
    """Encoding of the JSON and CSV files. None: UTF-8."""
    delimiter: str | None = None
    """Character between the columns of CSV and TSV files. None: a comma, or a tab in TSV files."""
    first_rows: int | None = Field(default=None, ge=1, le=2**63 - 1, strict=True)
    """Rows of each file that are read, from its beginning. None: all of them."""

    @model_validator(mode="before")
    @classmethod
    def _accept_path_alone(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str) else value

    @field_validator("encoding")
    @classmethod
    def _check_encoding(cls, name: str | None) -> str | None:
        if name is None:
            return None
        try:
            known = codecs.lookup(name)
            "".encode(name)  # refuses codecs of bytes, such as base64
        except (LookupError, ValueError):
            hint = did_you_mean(name, COMMON_ENCODINGS)
            raise ValueError(
                f"{quoted(name)} is no encoding of text{hint}; allowed are, among others, {', '.join(COMMON_ENCODINGS)}"
            ) from None
        return None if known.name == "utf-8" else name

    @field_validator("delimiter")
    @classmethod
    def _check_delimiter(cls, mark: str | None) -> str | None:
        if mark is not None and (len(mark) != 1 or mark in '"\r\n\0'):
            raise ValueError(f"seen {mark!r}; one character is needed, and no quote or line break, as in ';'")
        return mark

    @property
    def columns(self) -> Columns:
        """The mapping in effect: the user's columns, or those that are known for the path."""
        if self.named:
            return self
        if self.path == BUILTIN_DOCS:
            return DOCS_COLUMNS
        given = self.model_dump(exclude=NOT_COLUMNS, exclude_defaults=True)
        return PAPER_COLUMNS.model_copy(update=given)

    @property
    def dialect(self) -> Dialect:
        """Encoding and delimiter that the user named."""
        return Dialect(self.encoding, self.delimiter)


def origin_of(name: str) -> Origin:
    """Return dataset and generator of the paper's files. The dataset of any other file is its name without suffixes."""
    form, compression = suffixes(name)
    path = PurePosixPath(name)
    stem = path.with_suffix("") if compression else path
    if form == ".jsonl" and stem.stem in PAPER_FILES:
        return PAPER_FILES[stem.stem]
    return Origin(stem.with_suffix("").as_posix() if stem.stem else stem.as_posix(), None)
