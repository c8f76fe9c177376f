"""Settings of the scores in a table: a calibration is for one of each, and rows of several are refused."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
from pydantic import ValidationError

from scoring.calibration_tables import Binding
from scoring.fragment_settings import fragment_settings
from scoring.scores import SCORES, Direction
from sweeps.errors import UserError

_ONE_OF_EACH: Final = (
    "observer",
    "performer",
    "pair",
    "revision",
    "dtype_effective",
    "quantization",
    "alignment",
    "max_tokens",
    "fragments",
)
"""Columns of which a calibration may hold one value only: with another value the same text has another score."""
_BOUND: Final = ("observer", "performer", "quantization", "alignment", "max_tokens")


@dataclass(frozen=True)
class Settings:
    """Settings that all rows share. A value that the rows do not have is None."""

    values: Mapping[str, Any]

    @property
    def fragments(self) -> dict[str, Any] | None:
        """Return how the texts were cut: a level of the factor `fragments`.

        Raises:
            UserError: the rows hold a value that is no such level.
        """
        seen = self.values.get("fragments")
        if seen is None:
            return None
        try:
            level = json.loads(seen) if isinstance(seen, str) else dict(seen)
            fragment_settings(level)
        except (TypeError, ValueError) as error:
            raise UserError(
                f"column fragments: seen {seen!r}, no way of cutting texts; a level of the factor fragments is needed, "
                'such as {"mode": "whole"}'
            ) from error
        return dict(level)

    @property
    def mode(self) -> str | None:
        """Return the mode of the fragments, such as `window`."""
        return (self.fragments or {}).get("mode")

    def binding(self, score: str) -> Binding:
        """Return what thresholds of this score are bound to.

        Raises:
            UserError: a setting has a value that no scorer has, such as two dtypes at once.
        """
        revisions = _revisions(self.values.get("revision"))
        try:
            return Binding.model_validate(
                {name: self.values.get(name) for name in _BOUND}
                | {"observer_revision": revisions[0], "performer_revision": revisions[1]}
                | {"dtype": self.values.get("dtype_effective"), "score": score, "direction": direction_of(score)}
            )
        except ValidationError as error:
            first = error.errors()[0]
            raise UserError(
                f"column {first['loc'][0]}: seen {first['input']!r}: {first['msg']}; no threshold can be bound to that"
            ) from error


def direction_of(score: str) -> Direction:
    """Return the side on which machine text lies.

    Raises:
        UserError: the score is unknown, or no side is claimed for it.
    """
    with_side = ", ".join(name for name, kind in SCORES.items() if kind.direction)
    if score not in SCORES:
        raise UserError(f"score {score!r} is unknown; choose auto or one of {with_side}")
    direction = SCORES[score].direction
    if direction is None:
        raise UserError(
            f"score {score!r} has no direction: nobody claims on which side machine text lies, so no threshold can be "
            f"set; choose one of {with_side}"
        )
    return direction


def settings_of(rows: pd.DataFrame) -> Settings:
    """Return the settings of all rows.

    Raises:
        UserError: rows hold several values of a setting. The message lists them, and how to choose.
    """
    found: dict[str, Any] = {}
    several: list[str] = []
    for column in _ONE_OF_EACH:
        if column not in rows:
            continue
        counts = _counts(rows[column])
        if len(counts) > 1:
            several.append(_several(column, counts))
        found[column] = _value(counts.index[0]) if len(counts) else None
    if several:
        raise UserError(
            "the rows hold scores of different settings, which no threshold fits together: "
            + "; ".join(several)
            + ". Choose with --where COLUMN=VALUE (in memory: hand over the rows of one)"
        )
    return Settings(found)


def where(rows: pd.DataFrame, conditions: Sequence[str]) -> pd.DataFrame:
    """Return the rows that meet every condition `COLUMN=VALUE`.

    Raises:
        UserError: a condition is none, its column is not there, or no row meets it.
    """
    for condition in conditions:
        column, equals, value = condition.partition("=")
        if not equals or column not in rows:
            raise UserError(f"--where {condition!r}: COLUMN=VALUE is needed; columns are {', '.join(map(str, rows))}")
        is_met = rows[column].map(lambda cell, wanted=value: _meets(cell, wanted)).astype(bool)
        if not is_met.any():
            held = ", ".join(str(hashable(level)) for level in rows[column].dropna().drop_duplicates()[:10])
            raise UserError(f"--where {condition!r}: no row has this value of {column}; rows have {held or 'none'}")
        rows = rows[is_met]
    return rows


def _counts(column: "pd.Series[Any]") -> "pd.Series[int]":
    """Return the number of rows of each value, most rows first. Categories are looked at once, not in every row."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes
        counts = codes[codes >= 0].value_counts()
        return counts.set_axis(column.cat.categories[counts.index])
    plain = column if pd.api.types.is_numeric_dtype(column.dtype) else column.map(hashable)
    return plain.value_counts(dropna=True)


def hashable(cell: Any) -> Any:
    """Return a value that can be counted: a list or a table as JSON."""
    if isinstance(cell, list | dict):
        return json.dumps(cell)
    return None if pd.api.types.is_scalar(cell) and pd.isna(cell) else cell


def _value(cell: Any) -> Any:
    """Return a number of numpy as Python's own."""
    return cell.item() if hasattr(cell, "item") else cell


def _several(column: str, counts: "pd.Series[int]") -> str:
    shown = ", ".join(f"{level} ({count:,} rows)" for level, count in list(counts.items())[:8])
    more = f" and {len(counts) - 8} more" if len(counts) > 8 else ""
    return f"{column}: {shown}{more}"


def _meets(cell: Any, value: str) -> bool:
    """Tell whether a cell is the value that a user wrote. The layout of JSON does not count."""
    plain = hashable(cell)
    if plain is None:
        return value == ""
    if str(plain) == value:
        return True
    try:
        return isinstance(plain, str) and plain[:1] in "[{" and bool(json.loads(plain) == json.loads(value))
    except ValueError:
        return False


def _revisions(both: Any) -> tuple[str | None, str | None]:
    """Return the revisions of observer and performer, which rows hold as `a, b`; `None` is none."""
    observer, separator, performer = str(both).partition(", ") if both is not None else ("", "", "")
    if not separator:
        return None, None
    return (None if observer == "None" else observer, None if performer == "None" else performer)
