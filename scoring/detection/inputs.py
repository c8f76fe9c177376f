"""Texts of the files and folders that a user names: text files, records of JSONL, CSV and the like, and stdin.

A file or a record that cannot be read is an entry with the reason; the others are read. Files are opened one after the
other, and none is held. Knows nothing of scores.
"""

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Final

from scoring.corpora.columns import Columns
from scoring.corpora.raw_rows import PLAIN, Dialect, ParsedRow, RawRow, Start
from scoring.corpora.readers import READERS, is_readable, reader_of
from scoring.corpora.records import NULL_REASONS, Origin, RecordMaker
from scoring.corpora.streams import COMPRESSIONS, errors_naming, open_bytes, suffixes
from scoring.errors import CorpusError
from scoring.wording import did_you_mean, listed, plural, quoted

STDIN: Final = "-"
TEXT_SUFFIXES: Final = (".txt", ".text", ".md")
"""Suffixes of the text files of a folder. A file that is named itself may have any suffix."""
READ_IN_FOLDERS: Final = f"{', '.join((*TEXT_SUFFIXES, *READERS))}, each also with {' or '.join(COMPRESSIONS)}"
LOOKED_AT: Final = 100
"""Rows of a file that are looked at before the file is refused because no row has the column of the texts."""
UNREADABLE: Final = "unreadable"


@dataclass(frozen=True)
class Entry:
    """A text to judge, or a file or record that cannot be read."""

    file: str
    """File as the user named it, or below the folder that the user named."""
    record: str | None = None
    """Id of a record, or `file:row` where it has none; None for a file that is one text."""
    row: int | None = None
    """Number of the record's row in its file, from 0."""
    text: str | None = None
    null_reason: str | None = None
    """Reason why there is no text."""
    error: str | None = None
    """The same for people, with what to do."""

    @property
    def name(self) -> str:
        """Return the name of the text for people."""
        if self.record is None:
            return self.file
        return self.record if self.record.startswith(self.file) else f"{self.file}: {self.record}"


@dataclass(frozen=True)
class TextColumns:
    """Columns and format of records, as the options name them."""

    text: str = "text"
    id: str | None = None
    """None: `id`, in files that have such a column."""
    dialect: Dialect = PLAIN


@dataclass(frozen=True)
class FoundPaths:
    """Files to read, in the order in which they were named, and sentences about what folders hold beside them."""

    files: tuple[str, ...]
    notes: tuple[str, ...]


def find_files(paths: list[str]) -> FoundPaths:
    """Return every named file, and those below every named folder that end in a known suffix."""
    files: list[str] = []
    notes: list[str] = []
    for path in paths:
        if path == STDIN or not _is_folder(path):
            files.append(path)
            continue
        found, passed_over = _walk(path)
        files += found
        notes += _folder_notes(path, len(found), passed_over)
    return FoundPaths(tuple(files), tuple(notes))


def entries_of(file: str, columns: TextColumns) -> Iterator[Entry]:
    """Yield the texts of a file; an entry with the reason where there is none."""
    try:
        if file != STDIN and is_readable(file):
            yield from _records(file, columns)
        else:
            yield Entry(file, text=_text_of(_content(file), columns.dialect.encoding))
    except UnicodeDecodeError as error:
        yield _unreadable(
            file, f"not {error.encoding.upper()} text at byte {error.start}; convert it, or say --encoding"
        )
    except CorpusError as error:
        yield _unreadable(file, _as_options(str(error).removeprefix(file).lstrip(":, ")))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        yield _unreadable(file, f"{reason}; name readable files or folders, or - for stdin")


def count_texts(file: str, columns: TextColumns) -> int:
    """Return the number of texts of a file, for an estimate; 1 where that cannot be known beforehand."""
    if file == STDIN or not is_readable(file) or not Path(file).is_file():
        return 1
    try:
        return sum(1 for _ in reader_of(file, columns.dialect).contents())
    except (OSError, ValueError):
        return 1


def _is_folder(path: str) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - never raises, also for a name with a null byte


def _walk(folder: str) -> tuple[list[str], Counter[str]]:
    """Return the readable files below a folder, sorted, and the number of the others by the reason.

    Links to folders are followed, but no folder is visited twice.
    """
    found: list[str] = []
    passed_over: Counter[str] = Counter()
    seen: set[tuple[int, int]] = set()
    count_refused: Callable[[OSError], None] = lambda _: passed_over.update(["folders that cannot be read"])  # noqa: E731
    for place, folders, files in os.walk(folder, onerror=count_refused, followlinks=True):
        status = Path(place).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        passed_over["hidden"] += sum(name.startswith(".") for name in (*folders, *files))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in files if not name.startswith(".")):
            if is_readable(name) or suffixes(name)[0] in TEXT_SUFFIXES:
                found.append(str(Path(place, name)))
            else:
                passed_over["".join(suffixes(name)) or "without suffix"] += 1
    return found, +passed_over


def _folder_notes(folder: str, found: int, passed_over: Counter[str]) -> Iterator[str]:
    if not passed_over and found:
        return
    others = ", ".join(f"{reason} {count}" for reason, count in passed_over.most_common(8))
    if len(passed_over) > 8:
        others += f", others {sum(count for _, count in passed_over.most_common()[8:])}"
    total = plural(sum(passed_over.values()), "entry").replace("entrys", "entries")
    told = f"; {total} passed over ({others})" if passed_over else ""
    yield f"{folder}: {plural(found, 'file')} to read{told}. Read are {READ_IN_FOLDERS}"


def _content(file: str) -> bytes:
    if file != STDIN:
        with errors_naming(file), open_bytes(file) as stream:
            return stream.read()
    if sys.stdin is None:
        raise OSError("stdin is closed")
    return sys.stdin.buffer.read()


def _text_of(content: bytes, encoding: str | None) -> str:
    """Decode a file without its byte order mark and final newlines, and with LF as line ends."""
    text = content.decode(encoding or "utf-8-sig").removeprefix("\ufeff")
    if any("\ud800" <= letter <= "\udfff" for letter in ([] if text.isascii() else text)):
        raise ValueError("holds half a surrogate pair, which is no character; say another --encoding")
    if "\0" in text:
        raise ValueError("holds NUL bytes, so it is no text, or UTF-16: say --encoding utf-16 then")
    return text.replace("\r\n", "\n").rstrip("\n")


def _unreadable(file: str, reason: str) -> Entry:
    return Entry(file, null_reason=UNREADABLE, error=reason)


def _as_options(message: str) -> str:
    """Name options of the command where a message of the corpora names keys of a spec."""
    return re.sub(r"say (encoding|delimiter) = (\S+) in the corpus settings", r"say --\1 \2", message)


def _records(file: str, columns: TextColumns) -> Iterator[Entry]:
    """Yield the texts of the records of a file, one after the other.

    Raises:
        CorpusError: the file is broken, has no rows, or none of its first rows has the column of the texts.
    """
    reader = reader_of(file, columns.dialect)
    reader.check()
    rows = reader.rows(Start())
    first, broken = _first_rows(rows)
    if broken is None or first:
        _refuse_absent_column(file, first, columns)
    maker = RecordMaker(Columns(text=columns.text, id=columns.id or "id"))
    for index, row in enumerate(chain(first, rows if broken is None else ())):
        yield from _entries_of_row(file, index, row, maker, columns)
    if broken is not None:
        raise broken


def _first_rows(rows: Iterator[ParsedRow]) -> tuple[list[ParsedRow], Exception | None]:
    """Return the first rows of a file, and the error where the file breaks off within them."""
    first: list[ParsedRow] = []
    try:
        for row in islice(rows, LOOKED_AT):
            first.append(row)  # noqa: PERF402 - what was read before an error stays
    except (CorpusError, OSError) as error:
        return first, error
    return first, None


def _refuse_absent_column(file: str, rows: list[ParsedRow], columns: TextColumns) -> None:
    if not rows:
        raise CorpusError(f"{file}: has no rows")
    seen = list(dict.fromkeys(name for row in rows if row.values is not None for name in row.values))
    for option, column in (("--text", columns.text), ("--id", columns.id)):
        if seen and column is not None and column not in seen:
            raise CorpusError(
                f"{file}: no column {quoted(column)}{did_you_mean(column, seen)}; columns seen: "
                f"{listed(map(quoted, seen), 20)}; name the column with {option} COLUMN"
            )


def _entries_of_row(file: str, index: int, row: ParsedRow, maker: RecordMaker, columns: TextColumns) -> Iterator[Entry]:
    """Yield the text of a row. Of a list of texts each is an entry, with its number behind the record's id."""
    record = maker.record(RawRow(file, index, row.values), Origin("", None))
    if record.null_reason is not None:
        error = row.flaw or f"column {quoted(columns.text)}: {NULL_REASONS[record.null_reason]}"
        yield Entry(file, record.record_id, index, null_reason=record.null_reason, error=error)
        return
    for number, text in enumerate(record.texts):
        name = record.record_id if len(record.texts) == 1 else f"{record.record_id}[{number}]"
        yield Entry(file, name, index, text.text)
