"""Our own packages before whatever lies in the working directory, where `models/` or `scoring.py` may be the user's."""

import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent


def ours_first() -> None:
    """Move the working directory, which `python -m` puts first, behind everything else.

    A package that is installed in place is found by a finder that comes after `sys.path`, so it is put there too.
    """
    here = str(Path.cwd())
    if sys.path and sys.path[0] in ("", here) and Path(here) != ROOT:
        sys.path[:] = [*sys.path[1:], str(ROOT), sys.path[0]]
