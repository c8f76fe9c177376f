"""From rows to a calibration: records in parts, groups, their thresholds, and what these do on the report part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import pandas as pd

from analysis.thresholds.asked import AUTO, Asked
from analysis.thresholds.grouped_texts import grouped, in_ranges, thresholds
from analysis.thresholds.held_out import flagged, held_out
from analysis.thresholds.length_groups import Range
from analysis.thresholds.machine_probability import fit_probability
from analysis.thresholds.records import counted_records
from analysis.thresholds.score_choice import score_choice
from analysis.thresholds.settings import Settings, direction_of, settings_of
from analysis.thresholds.split import part_of_each
from analysis.thresholds.texts import HUMAN, REQUIRED, Kind, scores_in, texts_of
from scoring.calibration import Calibration
from scoring.calibration_tables import Population, Promise
from sweeps.errors import UserError


@dataclass(frozen=True)
class Fit:
    """A calibration, and the texts behind it."""

    calibration: Calibration
    asked: Asked
    texts: pd.DataFrame
    """Texts that have the score: columns of `Texts.frame`, record, part, group_number, length_group."""
    kind: Kind
    ranges: Sequence[Range]
    settings: Settings
    rows: pd.DataFrame
    """The rows, with record and part."""
    choice: pd.DataFrame | None
    """The scores, best first on the choose part; None where the user named the score."""
    remarks: tuple[str, ...]

    @property
    def score(self) -> str:
        """Return the name of the calibrated score."""
        return self.calibration.binding.score

    @cached_property
    def scores(self) -> tuple[str, ...]:
        """Return the scores that can be compared with it."""
        return scores_in(self.rows)

    @cached_property
    def compared(self) -> pd.DataFrame:
        """Return the texts that have every score, with their groups."""
        texts = texts_of(self.rows, self.scores, self.settings)
        return in_ranges(texts.frame, self.ranges, texts.kind)

    @cached_property
    def reported(self) -> pd.DataFrame:
        """Return the texts of the report part that are in a group, with whether they are flagged."""
        report = self.texts[self.texts["part"] == "report"]
        return flagged(report, self.calibration.groups, self.score, direction_of(self.score))


def fit(rows: pd.DataFrame, asked: Asked, same: Mapping[str, Any] | None = None) -> Fit:
    """Fit thresholds to the human texts of the calibrate part.

    Args:
        rows: Rows of the binoculars benchmark.
        asked: The promise, and how to get there.
        same: Cluster by record id, of records that count as one. None: near-duplicates are not known.

    Raises:
        Refused: there are too few records for the promise.
        UserError: the rows cannot be used.
    """
    if missing := [name for name in REQUIRED if name not in rows]:
        raise UserError(f"columns are missing: {', '.join(missing)}; needed are {', '.join(REQUIRED)} and the score")
    ok = rows[(rows["status"] == "ok").fillna(False).astype(bool)] if "status" in rows else rows
    settings = settings_of(ok)
    in_parts = _in_parts(rows, asked, same, settings)
    choice = _choice(in_parts, settings, asked) if asked.score == AUTO else None
    score = asked.score if choice is None else str(choice["score"].iloc[0])
    texts = texts_of(in_parts, (score,), settings)
    groups = grouped(texts, asked)
    found = thresholds(groups, texts.kind, score, asked)
    report = groups.frame[groups.frame["part"] == "report"]
    calibration = Calibration(
        version=2,
        created_at=datetime.now(UTC),
        binding=settings.binding(score),
        promise=Promise(fpr=asked.fpr, confidence=asked.confidence),
        groups=found,
        population=_population(groups.human, groups.frame, known=same is not None),
        held_out=held_out(flagged(report, found, score, direction_of(score)), found, asked.seed) if len(report) else (),
        fragments=settings.fragments,
        probability=fit_probability(groups.frame[groups.frame["part"] == "choose"], report, score, asked.seed),
    )
    remarks = (*texts.remarks, *groups.remarks, *_shared_ids(groups.frame))
    return Fit(calibration, asked, groups.frame, texts.kind, groups.ranges, settings, in_parts, choice, remarks)


def _in_parts(rows: pd.DataFrame, asked: Asked, same: Mapping[str, Any] | None, settings: Settings) -> pd.DataFrame:
    """Return the rows that name a record, with the record that each counts as, and its part."""
    named = rows[rows["record_id"].notna()]
    named = named.assign(
        record_id=named["record_id"].astype(str), is_human=(named["author"] == HUMAN).fillna(False).astype(bool)
    )
    named = named.assign(record=counted_records(named, same, whole=settings.mode == "whole"))
    return named.assign(part=part_of_each(named, asked.split, asked.seed))


def _choice(rows: pd.DataFrame, settings: Settings, asked: Asked) -> pd.DataFrame:
    candidates = scores_in(rows)
    if not candidates:
        raise UserError("score 'auto': the rows have no score with a direction; score a corpus first")
    texts = texts_of(rows, candidates, settings).frame
    return score_choice(texts[texts["part"] == "choose"], candidates, asked.fpr, asked.seed)


def _population(human: pd.DataFrame, texts: pd.DataFrame, known: bool) -> Population:
    """Return what the thresholds were calibrated on.

    Args:
        human: The human texts.
        texts: Texts of both classes.
        known: Near-duplicates are known.
    """
    records = human["record"].nunique()
    calibrated = texts[texts["part"] == "calibrate"]
    return Population(
        datasets=_names(human["dataset"]),
        generators=_names(calibrated["generator"]),
        records=records,
        near_duplicates=human["record_id"].nunique() - records if known else None,
        length_tokens=(int(human["shortest"].min()), int(human["longest"].max())),
    )


def _names(column: "pd.Series[Any]") -> tuple[str, ...]:
    return tuple(sorted(map(str, column.dropna().unique())))


def _shared_ids(texts: pd.DataFrame) -> list[str]:
    """Return a remark where one record id is in several datasets."""
    human = texts[texts["is_human"]]
    several = int((human.groupby("record_id")["dataset"].nunique() > 1).sum())
    if not several:
        return []
    return [f"{several:,} record ids are in several datasets; each counts as one record, whatever its texts are"]
