"""Names of the files in a run directory, in one place: the store writes them, the report reads them.

`<out>/<spec name>/` is a run's directory; every sweep has a directory in it, with its Parquet parts and the metadata
that say what the rows are of. The underscore of a name hides the file from pandas and pyarrow, which then read a
sweep's directory as it is.
"""

import fcntl
import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PART_PATTERN: Final = "part-*.parquet"
_NUMBERS: Final = re.compile(r"part-(?P<first>[0-9]+)(-(?P<last>[0-9]+))?\.parquet")
"""One number for a part that was written by one flush; the first and the last for parts that were merged into one."""
METADATA: Final = "_environment.json"
OLD_METADATA: Final = "environment.json"
"""Name that runs of the first version wrote, without inputs."""
METADATA_VERSION: Final = 2
REHEARSAL: Final = "-rehearsal"
"""Ends the spec name, and so the directory, of a run with `--rehearse`."""


@dataclass(frozen=True)
class SweepLayout:
    """Files of one sweep's directory."""

    directory: Path

    @property
    def metadata(self) -> Path:
        """Spec, inputs and environments that the rows are of."""
        return self.directory / METADATA

    @property
    def old_metadata(self) -> Path:
        """Metadata of runs of the first version."""
        return self.directory / OLD_METADATA

    def parts(self) -> list[Path]:
        """Return the visible parts in the order in which they were written."""
        return [self.directory / name for name in visible_parts(self._names())]

    def superseded(self) -> list[Path]:
        """Return the parts whose rows are in a merged part as well: a run was killed before it deleted them."""
        return [self.directory / name for name in sorted(set(self._names()) - set(visible_parts(self._names())))]

    def merged(self, parts: Sequence[Path]) -> Path:
        """Return the path of the part that takes the place of several, which follow each other."""
        (first, _), (_, last) = part_numbers(parts[0].name), part_numbers(parts[-1].name)
        return self.directory / f"part-{first:06d}-{last:06d}.parquet"

    def _names(self) -> list[str]:
        return [part.name for part in self.directory.glob(PART_PATTERN)]

    def part(self, number: int) -> Path:
        """Return the path of the part with that number."""
        return self.directory / f"part-{number:06d}.parquet"

    def next_number(self) -> int:
        """Return the first number that is free after those of the visible parts."""
        return 1 + max((part_numbers(name)[1] for name in self._names()), default=-1)

    def leftovers(self) -> list[Path]:
        """Return half-written files of a run that was killed."""
        return list(self.directory.glob(".*.tmp"))


@dataclass(frozen=True)
class RunLayout:
    """Files of a run's directory."""

    directory: Path

    @property
    def lock(self) -> Path:
        """Locked while a run writes there."""
        return self.directory / ".lock"

    def sweep(self, name: str) -> SweepLayout:
        """Return the layout of one sweep's directory."""
        return SweepLayout(self.directory / name)

    def is_being_written(self) -> bool | None:
        """Tell whether a run writes there now; for that the right to read is enough, so another user's run is seen.

        The lock is only looked at: it is shared for a moment, as `filelock` takes it (flock). None: the lock may not be
        read, or its disk has no locks, so nobody can tell.
        """
        try:
            with self.lock.open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return None
        return False

    def has_parts(self) -> bool:
        """Tell whether any sweep has rows on disk."""
        return any(self.directory.glob(f"*/{PART_PATTERN}"))


def damaged_name(part: Path) -> Path:
    """Return the path under which a part that cannot be read is kept, hidden from readers."""
    return part.with_name(f"_{part.name}.damaged")


def visible_parts(names: Iterable[str]) -> list[str]:
    """Return the names of parts in the order in which they were written, without parts that are merged into another.

    Args:
        names: of files of a sweep's directory.
    """
    parts = sorted(fnmatch.filter(names, PART_PATTERN), key=lambda name: (part_numbers(name), name))
    ranges = [numbers for name in parts if (numbers := part_numbers(name))[0] < numbers[1]]
    return [name for name in parts if not any(_is_within(part_numbers(name), merged) for merged in ranges)]


def part_numbers(name: str) -> tuple[int, int]:
    """Return the first and the last number of a part; (-1, -1) for a name that this program does not give."""
    match = _NUMBERS.fullmatch(name)
    return (int(match["first"]), int(match["last"] or match["first"])) if match else (-1, -1)


def _is_within(numbers: tuple[int, int], merged: tuple[int, int]) -> bool:
    return numbers != merged and merged[0] <= numbers[0] and numbers[1] <= merged[1]
