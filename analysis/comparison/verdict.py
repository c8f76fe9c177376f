"""The decision of `--fail-above 5%`, and the table of a comparison for a terminal.

Some cell is slower by more than the share as estimated, and significantly slower after Holm's adjustment: exit code 3.
No cell could be tested: nothing is decided, exit code 1.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from analysis.column_titles import number
from analysis.comparison.compare import Comparison
from analysis.comparison.earlier_cells import not_compared
from sweeps.errors import UserError
from sweeps.printable import middle_out

_MOST_PERCENT: Final = 1000
SLOWER: Final = 3
"""Exit code where `--fail-above` found a slowdown."""
_SHARE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(%?)")
NOTHING_COMPARED: Final = 1
"""Exit code where `--fail-above` had no cell to decide by."""
_MAX_ROWS: Final = 40
_NAME: Final = 60


def parse_share(text: str) -> float:
    """Return a share from '5%' or '0.05'.

    Raises:
        UserError: the text is no share from 0% to 1000%, or a number of 1 or more without a % sign.
    """
    match = _SHARE.fullmatch(text.strip())
    if match is None or float(match[1]) > _MOST_PERCENT:
        raise UserError(f"--fail-above {text!r}: give a share of 0% to {_MOST_PERCENT}%, such as 5% or 0.05")
    if not match[2] and float(match[1]) >= 1:
        raise UserError(
            f"--fail-above {text!r}: give a % sign, such as {match[1]}%, or a fraction below 1, such as 0.05"
        )
    return float(match[1]) / (100 if match[2] else 1)


def exit_code(comparison: Comparison, above: float) -> int:
    """Return 3 if some cell is slower than allowed, 1 if no cell could tell, else 0."""
    if not comparison.is_decided:
        return NOTHING_COMPARED
    return 0 if comparison.slower(above).empty else SLOWER


def decision(comparison: Comparison, asked: str, above: float) -> list[str]:
    """Return the sentences on what `--fail-above` found, and on the cells that could not be compared."""
    if comparison.is_decided:
        slower = len(comparison.slower(above))
        found = f"{slower:,} cells are slower by more than that, and significantly so"
    else:
        found = "nothing is decided, exit code 1: no time, rate or size of a cell could be tested"
    lost = not_compared(comparison.earlier)
    return [f"--fail-above {asked}: {found}", *([lost] if lost else [])]


def terminal_table(comparison: Comparison) -> str:
    """Return the sentences and the cells, the slowest first. The table holds 40 cells; compare.csv holds all."""
    cells = comparison.cells.sort_values("slowdown", ascending=False, na_position="last")
    lines = [
        f"{middle_out(row['cell'], _NAME):<{_NAME}} {_ratio(row['ratio'], row['difference']):>10} "
        f"{_interval(row):>20} {number(row['p_adjusted']):>10}  {row['verdict']}{_because(row['reason'])}"
        for row in cells.head(_MAX_ROWS).to_dict("records")
    ]
    header = f"{'cell':<{_NAME}} {'ratio':>10} {'95% interval':>20} {'p (Holm)':>10}  verdict"
    more = [f"… and {len(cells) - _MAX_ROWS:,} more in compare.csv"] if len(cells) > _MAX_ROWS else []
    return "\n".join([*comparison.sentences, "", header, *lines, *more])


def _because(reason: Any) -> str:
    return "" if pd.isna(reason) else f" ({reason})"


def _ratio(ratio: float, difference: float) -> str:
    return f"{ratio:.3f}" if not pd.isna(ratio) else f"{difference:+.4f}" if not pd.isna(difference) else "–"


def _interval(row: Mapping[Any, Any]) -> str:
    for low, high in (("ratio_low", "ratio_high"), ("difference_low", "difference_high")):
        if not pd.isna(row[low]):
            return f"{row[low]:.4f} to {row[high]:.4f}"
    return "–"
