"""An even sample of a stream whose length is not known: algorithm R of J. S. Vitter (1985), with a seed."""

import random
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")


class Reservoir(Generic[ItemT]):
    """Holds at most `size` items of a stream. Every item of the stream is in it with the same probability."""

    def __init__(self, size: int, seed: int) -> None:
        """Begin without items. The same seed and stream give the same sample."""
        self.items: list[ItemT] = []
        self.seen = 0
        self._size, self._draw = size, random.Random(seed)

    def add(self, item: ItemT) -> None:
        """Offer the next item of the stream."""
        self.seen += 1
        if len(self.items) < self._size:
            self.items.append(item)
            return
        place = self._draw.randrange(self.seen)
        if place < self._size:
            self.items[place] = item
