"""The text of docs/measurements.md as part of the page: what each number means, and an anchor for every column.

Knows Markdown. Links that lead off the page become text: the page loads nothing and needs no other file.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

_FILE: Final = Path(__file__).parent / "templates" / "measurements.md"
"""A link to docs/measurements.md, so that an installed package has it."""
_COLUMN: Final = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Meanings:
    """The rendered text, and where each column is explained."""

    html: Markup
    anchors: dict[str, str]
    """Id of the place that explains a column, by the column's name."""


@cache
def meanings() -> Meanings:
    """Return what each number means; nothing where the text is not installed."""
    if not _FILE.is_file():
        return Meanings(Markup(), {})
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(_FILE.read_text(encoding="utf-8").partition("\n")[2])
    anchors = _anchor_columns(tokens)
    for token in tokens:
        _demote(token)
        token.children = [child for child in token.children or [] if not child.type.startswith("link_")] or None
    return Meanings(Markup(parser.renderer.render(tokens, parser.options, {})), anchors)  # noqa: S704 - our own text


def _anchor_columns(tokens: Sequence[Token]) -> dict[str, str]:
    """Give the first table row that names a column an id. Return the ids by column."""
    anchors: dict[str, str] = {}
    for row, cell, text in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if (row.type, cell.type) != ("tr_open", "td_open"):
            continue
        codes = [child.content for child in text.children or [] if child.type == "code_inline"]
        fresh = [name for name in codes if _COLUMN.fullmatch(name) and name not in anchors]
        if fresh:
            row.attrSet("id", f"means-{fresh[0]}")
            anchors |= dict.fromkeys(fresh, f"means-{fresh[0]}")
    return anchors


def _demote(token: Token) -> None:
    """Lower a heading by one level: the page has headings above it."""
    if token.type in ("heading_open", "heading_close"):
        token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
