"""Files of a corpus: those of a path, a folder or a glob, with their names within the corpus.

Files that are not read are named in warnings. Opens no file.
"""

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from scoring.corpora.readers import READABLE, is_readable
from scoring.corpora.streams import suffixes
from scoring.errors import CorpusError
from scoring.wording import did_you_mean, listed, plural, printable, quoted, utf8


@dataclass(frozen=True)
class FoundFiles:
    """Files that are read, and warnings about the others."""

    files: tuple[tuple[str, str], ...]
    """Absolute path and name within the corpus of each file, in order of the names."""
    warnings: tuple[str, ...] = ()


def find_files(path: Path) -> FoundFiles:
    """Find the files of a path: a file, a folder with all below it, or a glob.

    A path that exists is taken literally, also where it has brackets. So are the leading folders of a glob.

    Raises:
        CorpusError: the path has no file that can be read.
    """
    try:
        path = path.expanduser().absolute()
    except RuntimeError:
        raise CorpusError(f"corpus {printable(path, 500)}: there is no such user on this machine") from None
    if path.is_file():
        return FoundFiles(((str(path), utf8(path.name)),))
    root, pattern = _split_pattern(path)
    entries = sorted(_walk_entries(root) if pattern is None else _glob_entries(root, pattern))
    readable = [file for file in entries if file.is_file() and _is_visible(file) and is_readable(str(file))]
    read = set(readable)
    warnings = _left_out_warnings(root, [file for file in entries if file not in read], is_deep="**" in (pattern or ""))
    if not readable:
        raise CorpusError(_no_file_message(path, entries))
    files, repeated = _unique_files(readable)
    return FoundFiles(_names_in_corpus(root, files), (*warnings, *repeated))


def _split_pattern(path: Path) -> tuple[Path, str | None]:
    """Split a path into the folder that exists and the pattern that follows; None: the path is a folder."""
    if path.is_dir():
        return path, None
    root = Path(path.anchor)
    parts = path.parts[1:]
    for index, part in enumerate(parts):
        if not (root / part).is_dir():
            return root, str(Path(*parts[index:]))
        root /= part
    return root, None


def _walk_entries(root: Path) -> Iterator[Path]:
    """Yield the entries below a folder, also through links to folders, but visit no folder twice.

    Entries are files, hidden folders, and folders named like a file.
    """

    def refuse(error: OSError) -> None:
        raise error

    seen: set[tuple[int, int]] = set()
    for folder, folders, files in os.walk(root, onerror=refuse, followlinks=True):
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        hidden = [name for name in folders if name.startswith(".")]
        folders[:] = [name for name in folders if not name.startswith(".")]
        # a folder with the suffix of a file may be a mistake, so it is reported
        odd = [name for name in folders if is_readable(name)]
        yield from (Path(folder, name) for name in (*files, *hidden, *odd))


def _glob_entries(root: Path, pattern: str) -> Iterator[Path]:
    try:
        names = glob.glob(pattern, root_dir=root, recursive=True)  # noqa: PTH207 - pathlib's does not follow links
    except ValueError as error:
        raise CorpusError(f"corpus {quoted(root / pattern)} is no path: {error}") from error
    return (root / name for name in names)


def _is_visible(file: Path) -> bool:
    return not file.name.startswith(".")


def _left_out_warnings(root: Path, entries: list[Path], is_deep: bool) -> tuple[str, ...]:
    if is_deep:  # `**` matches folders on the way to their files
        entries = [entry for entry in entries if not entry.is_dir()]
    if not entries:
        return ()
    reasons = sorted({_reason(entry) for entry in entries})
    names = listed(utf8(entry.relative_to(root).as_posix()) for entry in entries)
    return (f"{plural(len(entries), 'entry').replace('entrys', 'entries')} left out: {names} ({listed(reasons)})",)


def _reason(entry: Path) -> str:
    if entry.name.startswith("."):
        return "hidden"
    if entry.is_dir():
        return "a folder, not a file"
    if not entry.exists():
        return "a link to nothing"
    if not entry.is_file():
        return "no regular file"
    form, compression = suffixes(str(entry))
    return f"cannot read {form + compression or 'files without suffix'}"


def _unique_files(files: list[Path]) -> tuple[list[Path], tuple[str, ...]]:
    """Drop files that are other names of a file; return the rest, and a warning about the dropped names."""
    kept: dict[tuple[int, int], Path] = {}
    again: list[str] = []
    for file in sorted(files, key=lambda file: (file.is_symlink(), file)):
        status = file.stat()
        first = kept.setdefault((status.st_dev, status.st_ino), file)
        if first is not file:
            again.append(f"{utf8(str(file.name))} is {utf8(str(first.name))}")
    warnings = (f"{plural(len(again), 'file')} left out, the same file under another name: {listed(again)}",)
    return sorted(kept.values()), warnings if again else ()


def _names_in_corpus(root: Path, files: list[Path]) -> tuple[tuple[str, str], ...]:
    named: dict[str, str] = {}
    for file in files:
        name = utf8(file.relative_to(root).as_posix())
        while name in named:  # two names that are no UTF-8 and look the same when escaped
            name += "'"
        named[name] = str(file)
    ordered = sorted(named, key=PurePosixPath)
    return tuple((named[name], name) for name in ordered)


def _no_file_message(path: Path, entries: list[Path]) -> str:
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    hint = did_you_mean(path.name, beside)
    seen = f"{plural(len(entries), 'other entry').replace('entrys', 'entries')}"
    if entries:
        seen += f": {listed(entry.name for entry in entries)}"
    return (
        f"corpus {printable(path, 500)}: no file there that ends in {READABLE} ({seen}){hint}; "
        "name a file, a folder or a glob"
    )
