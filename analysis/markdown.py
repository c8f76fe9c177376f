"""The page in short: report.md, to paste into an issue, and the lines that `--terminal` prints.

Knows a Page. Does not know HTML. Names from rows may hold anything: Markdown signs in them are escaped.
"""

import re
from collections.abc import Iterator
from typing import Final

from analysis.page import Page
from analysis.tables import Table
from sweeps.printable import middle_out, printable

_SIGNS: Final = re.compile(r"([\\`*_{}\[\]<>|#~$])")
_MAX_ROWS: Final = 12
"""Rows of a table in report.md; the page and the CSV files hold the others."""
_MAX_CELL: Final = 60


def summary_lines(page: Page) -> list[str]:
    """Return progress, statuses and conclusions as plain lines."""
    lines = [page.title, *page.rehearsals, str(page.progress)]
    if not page.is_measured:
        lines.append("Nothing was measured: no row holds a measurement.")
    lines += [f"{count.status}: {_rows(count.rows)}{_because(count.reasons)}" for count in page.statuses]
    for run in page.runs:
        if run.progress.is_short:
            go_on = f"; to continue: {run.command}" if run.command else ""
            lines.append(f"{run.name}: not complete, {'; '.join(run.missing)} tasks are done{go_on}")
        if run.retry:
            lines.append(f"{run.name}: failed tasks run again with: {run.retry}")
    for heading, sentences in _sentences(page):
        lines += [heading, *(f"  {sentence}" for sentence in sentences)]
    if page.conclusions.folded:
        lines.append(f"more on the page: {page.conclusions.folded_count}")
    return [printable(line) for line in lines]


def summary_markdown(page: Page) -> str:
    """Return report.md: the same in Markdown, and the beginnings of the study's tables."""
    return "\n".join(printable(line, keep="\n") for line in _markdown(page)) + "\n"


def _markdown(page: Page) -> Iterator[str]:
    yield f"# {_plain(page.title)}\n"
    yield from (f"**{_plain(sentence)}**\n" for sentence in page.rehearsals)
    if not page.is_measured:
        yield "**Nothing was measured:** no row holds a measurement.\n"
    yield f"{page.progress}.\n"
    for count in page.statuses:
        yield _plain_item(f"{count.status}: {_rows(count.rows)}{_because(count.reasons)}")
    for run in page.runs:
        if run.progress.is_short:
            yield f"- {_plain(run.name)} is not complete: {_plain('; '.join(run.missing))} tasks are done"
        if run.progress.is_short and run.command:
            yield f"\n```\n{run.command}\n```"
    for remark in page.remarks:
        yield f"- problem: {_plain(remark)}"
    for heading, sentences in _sentences(page):
        yield f"\n## {_plain(heading)}\n"
        yield from (f"- {_plain(sentence)}" for sentence in sentences)
    for finding in page.conclusions.folded:
        yield f"\n## More: {_plain(finding.title)}\n"
        yield from (f"- {_plain(sentence)}" for sentence in finding.sentences)
    for table in page.compared.content.tables if page.compared else ():
        yield f"\n### {_plain(table.title)}\n"
        yield from _table(table)
    for part in page.study:
        for made in part.made:
            for _, content in made.contents:
                for table in content.tables:
                    yield f"\n### {_plain(made.section.heading)}: {_plain(table.title)}\n"
                    yield from _table(table)
    for sweep in page.sweeps:
        yield f"\n### {_plain(sweep.name)}\n"
        for table in sweep.tables[:1]:
            yield from _table(table)


def _sentences(page: Page) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the headings with sentences of the page in short, the comparison first."""
    if page.compared:
        yield f"Compared with {page.compared.against}", page.compared.content.sentences
    yield from ((finding.title, finding.sentences) for finding in page.conclusions.shown)


def _table(table: Table) -> Iterator[str]:
    """Yield the lines of a table: its first columns and rows."""
    width = len(table.headers) - table.on_demand
    yield _line(table.headers[:width])
    yield _line(["---"] * table.names + ["---:"] * (width - table.names))
    yield from (_line([_plain(middle_out(cell, _MAX_CELL)) for cell in row[:width]]) for row in table.rows[:_MAX_ROWS])
    if left := len(table.rows) - _MAX_ROWS + table.left_out if len(table.rows) > _MAX_ROWS else table.left_out:
        yield f"\n{left:,} more rows are on the page or in its CSV files."
    if table.note:
        yield f"\n{_plain(table.note)}"


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cell or ' ' for cell in cells)} |"


def _plain_item(text: str) -> str:
    return f"- {_plain(text)}"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _because(reasons: tuple[str, ...]) -> str:
    return f" ({'; '.join(reasons)})" if reasons else ""


def _plain(text: str) -> str:
    """Return text with Markdown's signs escaped, on one line."""
    return _SIGNS.sub(r"\\\1", " ".join(text.split()))
