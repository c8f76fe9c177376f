"""Puts our own packages before the working directory, where a `models/` or `scoring.py` of the user may lie."""

import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent


def ours_first() -> None:
    """Move the working directory, which `python -m` puts first, to the end of the module path.

    A package that is installed in place is found by a finder that comes after `sys.path`, so its directory is added.
    """
    here = str(Path.cwd())
    if sys.path and sys.path[0] in ("", here) and Path(here) != ROOT:
        sys.path[:] = [*sys.path[1:], str(ROOT), sys.path[0]]
