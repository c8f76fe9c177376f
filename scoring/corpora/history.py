"""What a corpus was when it was first seen, and each time it grew: whether files of today continue files of then.

A history has, by file, one entry each time the corpus was first seen or grew: rows so far and their fingerprint. Every
file has as many entries; one that did not grow has the same twice, one that came later begins with no rows. So the
rows between two entries came together, in all files, and which row is older is always known.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from scoring.corpora.fingerprints import NO_ROWS
from scoring.corpora.passing import Passed
from scoring.errors import CorpusChanged
from scoring.wording import plural, shown

History = Mapping[str, Sequence[Sequence[int | str]]]
"""`{name: [[rows, sha256], …]}`, as JSON has it."""


class End(NamedTuple):
    """Where the rows end that came together."""

    rows: int
    sha256: str
    """Fingerprint of the file's rows up to there."""


class Continued(NamedTuple):
    """A file of today under the name that it had when it was first seen."""

    file: Passed
    name: str
    ends: tuple[End, ...]


def checkpoints_of(history: History) -> frozenset[int]:
    """Row counts whose fingerprints are needed to compare with this history."""
    return frozenset(end.rows for ends in _ends(history).values() for end in ends)


def continue_history(files: Iterable[Passed], history: History, where: str) -> list[Continued]:
    """Match files with those of a history: by name, or, where a file was moved, by content.

    Raises:
        CorpusChanged: a file is gone, has fewer rows, or other rows than it had.
    """
    earlier = _ends(history)
    today = {file.name: file for file in files}
    same = {name for name, ends in earlier.items() if name in today and _difference(today[name], ends) is None}
    matched = {name: today.pop(name) for name in sorted(same)}
    # the longest first: one that is the beginning of another must not take the other's file
    for name in sorted(earlier.keys() - same, key=lambda name: (-earlier[name][-1].rows, name)):
        ends = earlier[name]
        if ends[-1].rows == 0:
            continue  # it never had rows
        moved = next((file for file in today.values() if _difference(file, ends) is None), None)
        if moved is None:
            raise CorpusChanged(_refusal(name, ends, today.get(name), where))
        matched[name] = today.pop(moved.name)
    return _with_new_rows(matched, today, earlier)


def _refusal(name: str, ends: Sequence[End], file: Passed | None, where: str) -> str:
    if file is None:
        return (
            f"corpus {where}: {shown(name)} is gone, {plural(ends[-1].rows, 'row')} of it were seen earlier; "
            "put it back, or start again in another directory"
        )
    return (
        f"{shown(file.file, 500)}: {_difference(file, ends)}; put back what it was, with new rows at its end or in "
        "files of their own, or start again in another directory"
    )


def _with_new_rows(
    matched: Mapping[str, Passed], new: Mapping[str, Passed], earlier: Mapping[str, Sequence[End]]
) -> list[Continued]:
    times = max((len(ends) for ends in earlier.values()), default=0)
    grew = bool(new) or any(file.rows > earlier[name][-1].rows for name, file in matched.items())
    own_names = dict(matched)
    for name, file in new.items():
        own_names[_free(name, own_names)] = file
    continued = []
    for name in sorted(own_names, key=PurePosixPath):
        file, past = own_names[name], tuple(earlier[name]) if name in matched else ()
        before = (End(0, NO_ROWS),) * (times - len(past))
        now = (End(file.rows, file.digests[file.rows]),) if grew else ()
        continued.append(Continued(file, name, (*before, *past, *now)))
    return continued


def _free(name: str, taken: Collection[str]) -> str:
    """A name that no file of the history has: one that was moved keeps its own."""
    while name in taken:
        name += "'"
    return name


def _difference(file: Passed, ends: Sequence[End]) -> str | None:
    """How a file is no continuation of what it was; None where it is."""
    if file.rows < ends[-1].rows:
        return f"has shrunk, {plural(file.rows, 'row')} where it had {ends[-1].rows} when it was seen earlier"
    first = 0
    for end in ends:
        if file.digests[end.rows] != end.sha256:
            return (
                f"has changed since it was seen earlier: rows {first} to {end.rows - 1}, counted from 0, are not what "
                "they were (edited, reordered or replaced)"
            )
        first = end.rows
    return None


def _ends(history: History) -> dict[str, list[End]]:
    return {name: [End(int(rows), str(sha256)) for rows, sha256 in ends] for name, ends in history.items()}
