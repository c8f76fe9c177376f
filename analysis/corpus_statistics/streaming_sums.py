"""Sums of a stream: of whole numbers exactly, of pairs of numbers by Welford's method. Holds no value of the stream.

Welford's method: B. P. Welford (1962), Note on a Method for Calculating Corrected Sums of Squares and Products.
"""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

FEWEST_PAIRS: Final = 4
"""Pairs from which on a correlation has an interval: its standard error in Fisher's z is 1 / √(n − 3)."""
_Z_95: Final = 1.959963984540054


@dataclass
class WholeSums:
    """Number, sum and sum of squares of whole numbers. All three are exact, whatever their size."""

    n: int = 0
    total: int = 0
    squares: int = 0

    def add(self, value: int) -> None:
        """Add a number."""
        self.n += 1
        self.total += value
        self.squares += value * value

    def merge(self, other: "WholeSums") -> None:
        """Add all numbers of other sums."""
        self.n += other.n
        self.total += other.total
        self.squares += other.squares

    @property
    def mean(self) -> float | None:
        """Return the mean; None without numbers."""
        return self.total / self.n if self.n else None

    @property
    def sd(self) -> float | None:
        """Return the standard deviation of a sample (divisor n − 1); None for fewer than two numbers."""
        if self.n < 2:
            return None
        return math.sqrt((self.n * self.squares - self.total**2) / (self.n * (self.n - 1)))


class Correlation(NamedTuple):
    """Pearson's r of a number of pairs, with its 95% interval. Values that do not exist are None, with a reason."""

    n: int
    r: float | None
    low: float | None
    high: float | None
    null_reason: str | None = None


@dataclass
class PairSums:
    """Means, sums of squared deviations and the sum of their products, of pairs (x, y)."""

    n: int = 0
    mean_x: float = 0.0
    mean_y: float = 0.0
    squares_x: float = 0.0
    squares_y: float = 0.0
    products: float = 0.0

    def add(self, x: float, y: float) -> None:
        """Add a pair."""
        self.n += 1
        above_x, above_y = x - self.mean_x, y - self.mean_y
        self.mean_x += above_x / self.n
        self.mean_y += above_y / self.n
        self.squares_x += above_x * (x - self.mean_x)
        self.squares_y += above_y * (y - self.mean_y)
        self.products += above_x * (y - self.mean_y)

    def correlation(self) -> Correlation:
        """Return Pearson's r, with the 95% interval of Fisher's z transform."""
        if self.n < 2:
            return Correlation(self.n, None, None, None, "a correlation needs two pairs")
        spread = math.sqrt(self.squares_x) * math.sqrt(self.squares_y)
        if spread == 0:
            return Correlation(self.n, None, None, None, "all values of one side are equal")
        r = max(-1.0, min(1.0, self.products / spread))
        if self.n < FEWEST_PAIRS:
            return Correlation(self.n, r, None, None, f"an interval needs {FEWEST_PAIRS} pairs")
        if abs(r) == 1:
            return Correlation(self.n, r, None, None, "all pairs lie on one line")
        z, half_width = math.atanh(r), _Z_95 / math.sqrt(self.n - 3)
        return Correlation(self.n, r, math.tanh(z - half_width), math.tanh(z + half_width))
