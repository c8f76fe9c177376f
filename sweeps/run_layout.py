"""Names of the files in a run directory, in one place: the store writes them, the report reads them.

`<out>/<spec name>/` is a run's directory; every sweep has a directory in it, with its Parquet parts and the metadata
that say what the rows are of. The underscore of a name hides the file from pandas and pyarrow, which then read a
sweep's directory as it is.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

PART_PATTERN: Final = "part-*.parquet"
METADATA: Final = "_environment.json"
OLD_METADATA: Final = "environment.json"
"""Name that runs of the first version wrote, without inputs."""
METADATA_VERSION: Final = 2


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
        """Return the visible parts, in the order of their names."""
        return sorted(self.directory.glob(PART_PATTERN))

    def part(self, number: int) -> Path:
        """Return the path of the part with that number."""
        return self.directory / f"part-{number:06d}.parquet"

    def next_number(self) -> int:
        """Return the first number that is free after those of the visible parts."""
        return 1 + max((_number(part) for part in self.parts()), default=-1)

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

    def has_parts(self) -> bool:
        """Tell whether any sweep has rows on disk."""
        return any(self.directory.glob(f"*/{PART_PATTERN}"))


def damaged_name(part: Path) -> Path:
    """Return the path under which a part that cannot be read is kept, hidden from readers."""
    return part.with_name(f"_{part.name}.damaged")


def _number(part: Path) -> int:
    digits = part.stem.removeprefix("part-")
    return int(digits) if digits.isdigit() else -1
