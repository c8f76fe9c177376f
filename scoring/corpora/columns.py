"""Mapping of columns to texts, authors and ids, as a user names it, and the columns that it finds in a row.

There are three mappings: paired (a column of human texts and a column of a model's texts), labelled (a column of texts
and a column of their authors), and a column of texts alone. Knows nothing of files.
"""

from collections.abc import Collection
from fnmatch import fnmatchcase
from typing import Annotated, Final, NamedTuple

from pydantic import Field, model_validator

from scoring.corpora.labels import EVERY_OTHER, Authors, Label, label_key
from scoring.wording import Settings

Name = Annotated[str, Field(min_length=1)]
OPTIONAL: Final = ("id", "dataset", "generator", "group")
"""Keys of columns that say more about a text. A row without such a column or value is valid."""


class Shape(NamedTuple):
    """Columns that a mapping finds in rows with the same column names."""

    human: str | None
    synthetic: str | None
    ambiguous: tuple[str, ...]
    """Columns that `synthetic` matches, where it matches several."""
    missing: tuple[str, ...]
    """Keys of the mapping whose column these rows lack."""


class Columns(Settings):
    """Names of the columns. `synthetic` may be an `fnmatch` pattern, for files that name that column differently."""

    human: Name | tuple[Name, ...] | None = None
    """Paired: the human text. Of several names the first that the row has is taken."""
    synthetic: Name | None = None
    """Paired: the model's text. A pattern, as `*_generated_text_wo_prompt`, never matches a human column."""
    text: Name | None = None
    """Labelled, or alone where the author is unknown: the text."""
    label: Name | None = None
    """Labelled: the author of the text."""
    human_labels: tuple[Label, ...] = ("human", "0", "false")
    synthetic_labels: tuple[Label, ...] = ("synthetic", "machine", "ai", "generated", "1", "true")
    """`["*"]`: every label that is not one of `human_labels`. `NA`, `nan`, `None` and the like are no labels."""
    id: Name | None = None
    """Column of the record's id. Without it the id is `file:row`."""
    dataset: Name | None = None
    """Column of the dataset's name. Without it the dataset has the file's name."""
    generator: Name | None = None
    """Column of the generator's name. Without it the file or the synthetic column names the generator."""
    group: Name | None = None
    """Column of the subgroup that the author belongs to, such as a native language: rates are told for each."""

    @model_validator(mode="after")
    def _complete_labels(self) -> "Columns":
        """Complete the list of labels that the user did not name.

        With `human_labels` alone every other label is synthetic. Labels that the user named in `synthetic_labels` are
        removed from the default of `human_labels`.
        """
        if "human_labels" in self.model_fields_set and "synthetic_labels" not in self.model_fields_set:
            self.__dict__["synthetic_labels"] = (EVERY_OTHER,)  # see below
        if "synthetic_labels" in self.model_fields_set and "human_labels" not in self.model_fields_set:
            keys = {label_key(label) for label in self.synthetic_labels}
            rest = tuple(label for label in self.human_labels if label_key(label) not in keys)
            self.__dict__["human_labels"] = rest  # not by assignment: `model_fields_set` must not name it
        return self

    @model_validator(mode="after")
    def _check_mapping(self) -> "Columns":
        paired, labelled = (self.human, self.synthetic), (self.text, self.label)
        half_paired = any(paired) and not all(paired)
        if half_paired or (any(paired) and any(labelled)) or (self.label and not self.text):
            raise ValueError(
                "name both of human and synthetic (paired), or both of text and label (labelled), or text alone; "
                f"seen: human={self.human!r}, synthetic={self.synthetic!r}, text={self.text!r}, label={self.label!r}"
            )
        if self.synthetic in self.human_names:
            raise ValueError(f"human and synthetic are both column {self.synthetic!r}; name two columns")
        if self.text and self.text == self.label:
            raise ValueError(f"text and label are both column {self.text!r}; name two columns")
        Authors(self.human_labels, self.synthetic_labels)
        return self

    @property
    def named(self) -> bool:
        """True where the user named the columns of the texts."""
        return self.human is not None or self.text is not None

    @property
    def human_names(self) -> tuple[str, ...]:
        """Names of the human column. The first that a row has is taken."""
        return (self.human,) if isinstance(self.human, str) else self.human or ()

    @property
    def wanted(self) -> dict[str, str]:
        """Keys of the mapping that the user named, with the column names."""
        given = self.model_dump(include={"human", "synthetic", "text", "label", *OPTIONAL}, exclude_none=True)
        return {key: " or ".join(name) if isinstance(name, tuple) else str(name) for key, name in given.items()}

    @property
    def optional(self) -> dict[str, str]:
        """Keys of optional columns that the user named, with the column names."""
        return {key: name for key in OPTIONAL if (name := getattr(self, key)) is not None}

    def shape(self, names: Collection[str]) -> Shape:
        """Look for the columns of this mapping among `names`."""
        human = next((name for name in self.human_names if name in names), None)
        matching = self._matching(names)
        synthetic = matching[0] if len(matching) == 1 else None
        found = {"human": human is not None, "synthetic": bool(matching)}
        found |= {key: getattr(self, key) in names for key in ("text", "label", *OPTIONAL)}
        missing = tuple(key for key in self.wanted if not found[key])
        return Shape(human, synthetic, matching if len(matching) > 1 else (), missing)

    def _matching(self, names: Collection[str]) -> tuple[str, ...]:
        if self.synthetic is None:
            return ()
        if self.synthetic in names:
            return (self.synthetic,)
        return tuple(name for name in names if name not in self.human_names and fnmatchcase(name, self.synthetic))
