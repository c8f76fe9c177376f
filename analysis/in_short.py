"""The page in short: the findings of the sections that sum up, cut to what a reader takes in at a glance.

Knows the parts of the study. Does not know rows, HTML or Markdown.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import Final

from analysis.study import NotebookPart
from sweeps.wording import counted

MOST_SENTENCES: Final = 20
"""Sentences at the top of the page; with their headings they are some 25 lines."""


@dataclass(frozen=True)
class Finding:
    """Sentences under one heading."""

    heading: str
    sentences: tuple[str, ...]
    sweeps: tuple[str, ...] = ()
    """Sweeps that the sentences are of; empty where the page has no other sweep with this heading."""

    @property
    def title(self) -> str:
        """Return the heading with the sweeps."""
        return f"{self.heading} ({', '.join(self.sweeps)})" if self.sweeps else self.heading


@dataclass(frozen=True)
class InShort:
    """Findings at the top of the page, and those that are folded below them."""

    shown: tuple[Finding, ...] = ()
    folded: tuple[Finding, ...] = ()

    @property
    def folded_count(self) -> str:
        """Return the number of sentences that are folded, as '3 sentences'."""
        return counted(sum(len(finding.sentences) for finding in self.folded), "sentence")


def in_short(parts: Sequence[NotebookPart], most: int = MOST_SENTENCES) -> InShort:
    """Return the findings of the study: of each the first sentences, as many as fit; the others are folded.

    Every section puts its most telling sentence first, so a second sentence is shown only after every first one.
    """
    findings = list(_findings(parts))
    turns = chain(*zip_longest(*([number] * len(one.sentences) for number, one in enumerate(findings))))
    taken = [number for number in turns if number is not None][:most]
    shown, folded = [], []
    for number, finding in enumerate(findings):
        count = taken.count(number)
        shown.append(replace(finding, sentences=finding.sentences[:count]))
        folded.append(replace(finding, sentences=finding.sentences[count:]))
    return InShort(_filled(shown), _filled(folded))


def _filled(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(finding for finding in findings if finding.sentences)


def _findings(parts: Sequence[NotebookPart]) -> Iterator[Finding]:
    """Yield the findings of each section that sums up; sweeps that give the same sentences share them."""
    for made in (made for part in parts for made in part.made if made.section.summary_title):
        sweeps: dict[tuple[str, ...], list[str]] = {}
        for name, content in made.contents:
            said = content.sentences if content.in_short is None else content.in_short
            if said:
                sweeps.setdefault(said, []).append(name)
        several = len(made.contents) > 1
        for sentences, names in sweeps.items():
            yield Finding(made.section.summary_title, sentences, tuple(names) if several else ())
