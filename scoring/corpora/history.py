"""History of a corpus: the state of each file when the corpus was first seen, and each time the corpus grew.

A state is a number of rows and their fingerprint. All files have the same number of states. A file that did not grow
repeats its state; a file that came later begins with states of no rows. So rows between the same two states came to the
corpus together, in whichever file, and older rows are known from newer ones.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from scoring.corpora.fingerprints import NO_ROWS
from scoring.corpora.passing import ScannedFile
from scoring.errors import CorpusChanged
from scoring.wording import plural, printable

History = Mapping[str, Sequence[Sequence[int | str]]]
"""`{name: [[rows, sha256], …]}`, as JSON has it."""


class FileState(NamedTuple):
    """State of a file at a time: its first `rows` rows."""

    rows: int
    sha256: str
    """Fingerprint of these rows."""


class ContinuedFile(NamedTuple):
    """A file under the name that it had when it was first seen, with all its states."""

    file: ScannedFile
    name: str
    states: tuple[FileState, ...]


def checkpoints_of(history: History) -> frozenset[int]:
    """Return the row counts whose fingerprints a comparison with this history needs."""
    return frozenset(state.rows for states in _states(history).values() for state in states)


def continue_history(files: Iterable[ScannedFile], history: History, where: str) -> list[ContinuedFile]:
    """Match files with those of a history: by name, or by content where a file was moved.

    Raises:
        CorpusChanged: a file of the history is gone, has fewer rows, or other rows.
    """
    earlier = _states(history)
    today = {file.name: file for file in files}
    same = {name for name, states in earlier.items() if name in today and _change(today[name], states) is None}
    matched = {name: today.pop(name) for name in sorted(same)}
    # the longest first: a file that equals the beginning of another must not take the other's match
    for name in sorted(earlier.keys() - same, key=lambda name: (-earlier[name][-1].rows, name)):
        states = earlier[name]
        if states[-1].rows == 0:
            continue  # a file without rows need not be there
        moved = next((file for file in today.values() if _change(file, states) is None), None)
        if moved is None:
            raise CorpusChanged(_refusal_message(name, states, today.get(name), where))
        matched[name] = today.pop(moved.name)
    return _with_new_rows(matched, today, earlier)


def _refusal_message(name: str, states: Sequence[FileState], file: ScannedFile | None, where: str) -> str:
    if file is None:
        return (
            f"corpus {where}: {printable(name)} is gone, {plural(states[-1].rows, 'row')} of it were seen earlier; "
            "put it back, or start again in another directory"
        )
    return (
        f"{printable(file.file, 500)}: {_change(file, states)}; put back the earlier rows, with new rows at its end or "
        "in files of their own, or start again in another directory"
    )


def _with_new_rows(
    matched: Mapping[str, ScannedFile], new: Mapping[str, ScannedFile], earlier: Mapping[str, Sequence[FileState]]
) -> list[ContinuedFile]:
    times = max((len(states) for states in earlier.values()), default=0)
    grew = bool(new) or any(file.rows > earlier[name][-1].rows for name, file in matched.items())
    own_names = dict(matched)
    for name, file in new.items():
        own_names[_free_name(name, own_names)] = file
    continued = []
    for name in sorted(own_names, key=PurePosixPath):
        file, past = own_names[name], tuple(earlier[name]) if name in matched else ()
        before = (FileState(0, NO_ROWS),) * (times - len(past))
        now = (FileState(file.rows, file.digests[file.rows]),) if grew else ()
        continued.append(ContinuedFile(file, name, (*before, *past, *now)))
    return continued


def _free_name(name: str, taken: Collection[str]) -> str:
    """Append `'` to a new file's name until no other file has it: moved files keep their earlier names."""
    while name in taken:
        name += "'"
    return name


def _change(file: ScannedFile, states: Sequence[FileState]) -> str | None:
    """Say how a file differs from its earlier states; None where it continues them."""
    if file.rows < states[-1].rows:
        return f"has shrunk, {plural(file.rows, 'row')} where it had {states[-1].rows} when it was seen earlier"
    first = 0
    for state in states:
        if file.digests[state.rows] != state.sha256:
            return (
                f"has changed since it was seen earlier: rows {first} to {state.rows - 1}, counted from 0, are not "
                "what they were (edited, reordered or replaced)"
            )
        first = state.rows
    return None


def _states(history: History) -> dict[str, list[FileState]]:
    return {name: [FileState(int(rows), str(sha256)) for rows, sha256 in states] for name, states in history.items()}
