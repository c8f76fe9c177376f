"""The command that continues a run, for the directory in which its files lie now: they may have been copied or moved.

A run writes to `OUT/<spec name>`. So the command for a copy needs another `--out`, and the copy the spec's name.
"""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_OUT: Final = "--out"
_DEFAULT_OUT: Final = "runs"


@dataclass(frozen=True)
class StoredCommand:
    """A command, and what has to be done before it is given."""

    line: str = ""
    """The command; empty where no file says."""
    first: tuple[str, ...] = ()
    """Sentences, each with a thing that has to be done first."""


def command_for(line: str, spec_name: str, directory: Path) -> StoredCommand:
    """Return the command of a run as it continues the run in a directory.

    Args:
        line: The command that the files name: `cd DIR && python -m sweeps.run …`.
        spec_name: Name of the spec, which a run's directory has; empty where no file says.
        directory: that holds the files now.
    """
    try:
        cd, started_in, then, *words = shlex.split(line)
    except ValueError:
        return StoredCommand(line)
    if (cd, then) != ("cd", "&&") or not spec_name:
        return StoredCommand(line)
    here = Path(os.path.abspath(directory))  # noqa: PTH100 - resolve() would name another directory than the user
    is_here = Path(started_in).is_dir()
    if is_here and _is_same(Path(started_in, _out_of(words), spec_name), here):
        return StoredCommand(line)
    continued = shlex.join(_with_out(words, str(here.parent)))
    if not is_here:
        return StoredCommand(continued, (_moved_from(started_in), *_renamed(spec_name, here)))
    return StoredCommand(f"cd {shlex.quote(started_in)} && {continued}", tuple(_renamed(spec_name, here)))


def put_back(metadata: Path) -> str:
    """Return what has to be done first where the metadata of a sweep's rows cannot be read: a run refuses them."""
    return f"put {metadata} back, or move {metadata.parent} away to start afresh"


def _out_of(words: list[str]) -> str:
    return words[words.index(_OUT) + 1] if _OUT in words[:-1] else _DEFAULT_OUT


def _with_out(words: list[str], out: str) -> list[str]:
    if _OUT not in words[:-1]:
        return [*words, _OUT, out]
    at = words.index(_OUT)
    return [*words[: at + 1], out, *words[at + 2 :]]


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _moved_from(started_in: str) -> str:
    return f"the run was started in {started_in}, which is not here; go to the directory that has its spec now"


def _renamed(spec_name: str, here: Path) -> list[str]:
    if here.name == spec_name:
        return []
    return [f"{here} must be named {spec_name}, as the spec is; rename it, or move it to where no {spec_name} lies"]
