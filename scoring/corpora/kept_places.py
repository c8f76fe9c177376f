"""Places in files that a process keeps between shards, so that the next shard need not start again.

A place belongs to a file as it was: a file that was written since has no place. A place is taken out while it is in
use, so two threads never read at the same one.
"""

from collections.abc import Hashable
from pathlib import Path
from threading import Lock
from typing import Final, Generic, Protocol, TypeVar

MOST_PLACES: Final = 8
"""Files of a kind whose places are kept, at most. The paper's corpus has six files."""

FileState = tuple[int, int, int, int]
"""Device, inode, size and time of change, which change when a file is written."""


class Place(Protocol):
    """Anything open that must be closed when it is no longer kept."""

    def close(self) -> None:
        """Close the place's files."""


PlaceT = TypeVar("PlaceT", bound=Place)


def file_state(file: str) -> FileState:
    """Return the state of a file.

    Raises:
        OSError: the file is not there.
    """
    status = Path(file).stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class KeptPlaces(Generic[PlaceT]):
    """The places that were used last, by their key."""

    def __init__(self) -> None:
        self._places: dict[Hashable, PlaceT] = {}
        self._lock = Lock()

    def take(self, key: Hashable) -> PlaceT | None:
        """Remove and return the place of a key; None where none is kept, or another thread uses it."""
        with self._lock:
            return self._places.pop(key, None)

    def put(self, key: Hashable, place: PlaceT) -> None:
        """Keep a place. Of more than `MOST_PLACES` the one that was not used for the longest time is closed."""
        with self._lock:
            dropped = [self._places.pop(key)] if key in self._places else []
            self._places[key] = place
            while len(self._places) > MOST_PLACES:
                dropped.append(self._places.pop(next(iter(self._places))))
        for old in dropped:
            old.close()

    def clear(self) -> None:
        """Close every place."""
        with self._lock:
            dropped, self._places = list(self._places.values()), {}
        for old in dropped:
            old.close()
