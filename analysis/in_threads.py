"""Do the same with several things at once: numpy, pandas and Arrow compute without holding Python's lock."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
_MOST: Final = 2
"""Threads. Each holds what it computes with, so more would need more memory."""


def in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Return the result of each item, in order. The first exception is raised."""
    threads = min(_MOST, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))
