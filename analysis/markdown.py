"""The page in short: report.md, to paste into an issue, and the lines that `--terminal` prints.

Knows a Page. Does not know HTML. Names from rows may hold anything: Markdown signs in them are escaped.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from analysis.column_titles import capital
from analysis.page import Page
from analysis.progress import RunProgress
from analysis.sections.selection import STANDS_IN
from analysis.study import Made
from analysis.tables import Table
from sweeps.printable import middle_out, printable
from sweeps.wording import UNKNOWN_WRITER, counted

_SIGNS: Final = re.compile(r"([\\`*_{}\[\]<>|#~$])")
_MAX_ROWS: Final = 12
"""Rows of a table in report.md; the page and the CSV files hold the others."""
_MAX_CELL: Final = 60
MAX_CHARACTERS: Final = 40_000
"""Length of report.md beyond which tables are left out: an issue on GitHub takes 65,536 characters."""


def summary_lines(page: Page) -> list[str]:
    """Return progress, statuses and conclusions as plain lines."""
    lines = [page.title, *page.rehearsals, str(page.progress)]
    if not page.is_measured:
        lines.append("Nothing was measured: no row holds a measurement.")
    lines += [f"{count.status}: {counted(count.rows, 'row')}{_because(count.reasons)}" for count in page.statuses]
    for run in page.runs:
        if run.progress.is_short or run.retry:
            lines += [f"{run.name}: before the next command: {sentence}" for sentence in run.first]
        if run.progress.is_short:
            go_on = f"; {_when(run)}: {run.command}" if run.command else ""
            lines.append(f"{run.name} {_state(run)}: {'; '.join(run.missing)} tasks are done{go_on}")
        if run.retry:
            lines.append(f"{run.name}: failed tasks run again with: {run.retry}")
    for finding in page.conclusions.shown:
        lines += [finding.title, *(f"  {sentence}" for sentence in finding.sentences)]
    if page.conclusions.folded:
        lines.append(f"more on the page: {page.conclusions.folded_count}")
    return [printable(line) for line in lines]


def summary_markdown(page: Page) -> str:
    """Return report.md: the same in Markdown, and the beginnings of the study's tables, as many as an issue takes."""
    text = _text(_head(page))
    left_out = 0
    for table in dict.fromkeys(_text(lines) for lines in _tables(page)):  # sweeps of the same texts give equal tables
        if len(text) + len(table) <= MAX_CHARACTERS:
            text += table
        else:
            left_out += 1
    if left_out:
        text += _text(
            [f"\n{counted(left_out, 'more table')} on the page; here they would make more than an issue takes."]
        )
    return text


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{printable(line, keep=chr(10))}\n" for line in lines)


def _head(page: Page) -> Iterator[str]:
    """Yield all lines but those of tables."""
    yield f"# {_plain(page.title)}\n"
    yield from (f"**{_plain(sentence)}**\n" for sentence in page.rehearsals)
    if not page.is_measured:
        yield "**Nothing was measured:** no row holds a measurement.\n"
    yield f"{page.progress}.\n"
    for count in page.statuses:
        yield _plain_item(f"{count.status}: {counted(count.rows, 'row')}{_because(count.reasons)}")
    for run in page.runs:
        if run.progress.is_short:
            yield f"- {_plain(run.name)} {_state(run)}: {_plain('; '.join(run.missing))} tasks are done"
        if run.progress.is_short and run.command:
            yield from (f"- before the next command: {_plain(sentence)}" for sentence in run.first)
            yield f"\n{capital(_when(run))}:\n\n```\n{run.command}\n```"
    for remark in page.remarks:
        yield f"- problem: {_plain(remark)}"
    for heading, sentences in _sentences(page):
        yield f"\n## {_plain(heading)}\n"
        yield from (f"- {_plain(sentence)}" for sentence in sentences)
    for finding in page.conclusions.folded:
        yield f"\n## More: {_plain(finding.title)}\n"
        yield from (f"- {_plain(sentence)}" for sentence in finding.sentences)


def _tables(page: Page) -> Iterator[Iterator[str]]:
    """Yield the lines of each table: of the comparison, of the study, then of the sweeps that fit no section."""
    for table in page.compared.content.tables if page.compared else ():
        yield _table(table.title, table)
    in_study: set[str] = set()
    for made in (made for part in page.study for made in part.made):
        for name, content in made.contents:
            in_study.update([name] if content.tables else [])
        yield from _section_tables(made)
    for sweep in page.sweeps:
        if sweep.name not in in_study:
            yield from (_table(sweep.name, table) for table in sweep.tables[:1])


def _section_tables(made: Made) -> Iterator[Iterator[str]]:
    """Yield the lines of each table of a section, headed by its sweeps where the section has other tables beside.

    Sweeps of the same texts give equal tables: such a table stands once.
    """
    sweeps: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for name, content in made.contents:
        remarks = content.sentences if content.in_short is not None or not made.section.summary_title else ()
        for table in content.tables:
            sweeps.setdefault((table.title, tuple(_body(table, remarks))), []).append(name)
    for (title, body), names in sweeps.items():
        is_of_all = len(dict.fromkeys(names)) == len(made.contents)
        of = made.section.heading if is_of_all else f"{made.section.heading}, {', '.join(dict.fromkeys(names))}"
        yield iter([_heading(f"{of}: {title}"), *body])


def _state(run: RunProgress) -> str:
    if run.is_running is None:
        return f"is not complete ({UNKNOWN_WRITER})"
    return "goes on" if run.is_running else "is not complete"


def _when(run: RunProgress) -> str:
    """Return when the command of a run is to be given."""
    return "if it stops" if run.is_running else "to continue"


def _sentences(page: Page) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the headings with sentences of the page in short, the comparison first."""
    if page.compared:
        yield f"Compared with {page.compared.against}", page.compared.content.sentences
    yield from ((finding.title, finding.sentences) for finding in page.conclusions.shown)


def _table(title: str, table: Table) -> Iterator[str]:
    """Yield the lines of a table: its title, first columns and rows."""
    yield _heading(title)
    yield from _body(table)


def _heading(title: str) -> str:
    return f"\n### {_plain(title)}\n"


def _body(table: Table, remarks: Sequence[str] = ()) -> Iterator[str]:
    """Yield the lines below a table's title: what a reader must know of its rows, first columns and rows."""
    yield from (f"{_plain(remark)}\n" for remark in remarks if remark.startswith(STANDS_IN))
    width = len(table.headers) - table.on_demand
    yield _line(table.headers[:width])
    yield _line(["---"] * table.names + ["---:"] * (width - table.names))
    yield from (_line([_plain(middle_out(cell, _MAX_CELL)) for cell in row[:width]]) for row in table.rows[:_MAX_ROWS])
    if left := len(table.rows) - _MAX_ROWS + table.left_out if len(table.rows) > _MAX_ROWS else table.left_out:
        yield f"\n{counted(left, 'more row')} {'is' if left == 1 else 'are'} on the page or in its CSV files."
    if table.note:
        yield f"\n{_plain(table.note)}"


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cell or ' ' for cell in cells)} |"


def _plain_item(text: str) -> str:
    return f"- {_plain(text)}"


def _because(reasons: tuple[str, ...]) -> str:
    return f" ({'; '.join(reasons)})" if reasons else ""


def _plain(text: str) -> str:
    """Return text with Markdown's signs escaped, on one line."""
    return _SIGNS.sub(r"\\\1", " ".join(text.split()))
