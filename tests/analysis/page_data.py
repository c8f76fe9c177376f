"""Data of a page, read with a parser: for each section its sentences, cells of tables, and marks in figures."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

_PAIR = re.compile(r"(-?[\d.]+) (-?[\d.]+)")
_SIZE = re.compile(r" ([\d,]+ of )?[\d,]+ rows$")
"""The number of rows behind the title of a long table."""
_TEXTS = ("h2", "h3", "h4", "li", "th", "td", "text")
"""Elements whose text is read."""
_NUMBER = re.compile(r"[<≤+−-]?\s?\d[\d.,]*(%|\s|$)")


@dataclass
class FigureData:
    """An inline figure."""

    texts: list[str] = field(default_factory=list)
    """Titles, names along the axes, and the legend."""
    marks: int = 0
    """Points of dots, lines and areas that are inside the axes; grid lines and ticks do not count."""


@dataclass
class Article:
    """A section of the published study on the page."""

    sentences: list[str] = field(default_factory=list)
    tables: list[list[list[str]]] = field(default_factory=list)
    """Tables, as rows of cells; the first row holds the headers."""
    figures: list[FigureData] = field(default_factory=list)

    captions: list[str] = field(default_factory=list)
    """Titles of the tables."""
    numbers: list[str] = field(default_factory=list)
    """Cells of all tables that begin with a number and are no name of a row."""

    @property
    def titles(self) -> list[str]:
        """Captions and headers of all tables, and texts of all figures."""
        headers = (cell for table in self.tables for cell in table[0])
        return [*self.captions, *headers, *(text for figure in self.figures for text in figure.texts)]


class PageData(HTMLParser):
    """The sections of the study on a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.articles: dict[str, Article] = {}
        """By heading, with that of the notebook in front."""
        self._notebook = ""
        self._now = Article()
        self._is_section = False
        self._reads = ""
        self._text: list[str] = []
        self._clips: list[bool] = []
        """For each group around an element of a figure whether the group is cut to the axes, as all data is."""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag in _TEXTS or tag in ("table", "tr", "svg"):
            self._store()
        if tag in _TEXTS:
            self._reads = tag
        is_data = "clip-path" in said or any(self._clips)
        match tag:
            case "article":
                self._now, self._is_section = Article(), True
            case "table":
                self._now.tables.append([])
            case "tr" if self._now.tables:
                self._now.tables[-1].append([])
            case "svg":
                self._now.figures.append(FigureData())
            case "g":
                self._clips.append(is_data)
            case "path" if is_data:
                self._now.figures[-1].marks += _marks(said.get("d") or "")
            case "use" if is_data:
                self._now.figures[-1].marks += 1

    def handle_endtag(self, tag: str) -> None:
        if tag == "g":
            self._clips.pop()
        if tag == self._reads or tag == "table":
            self._store()
        if tag == "article":
            self._now, self._is_section = Article(), False

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def _store(self) -> None:
        """Put the text that was read where it belongs."""
        text, tag = " ".join("".join(self._text).split()), self._reads
        self._text, self._reads = [], ""
        match tag:
            case "h2":
                self._notebook = text
            case "h3" if self._is_section:
                self.articles[f"{self._notebook}: {text}"] = self._now
            case "li":
                self._now.sentences.append(text)
            case "th" | "td":
                self._now.tables[-1][-1].append(text.removesuffix(" ?"))  # the link to what a column means
                if tag == "td" and _NUMBER.match(text):
                    self._now.numbers.append(text)
            case "h4":
                self._now.captions.append(_SIZE.sub("", text.removesuffix(" CSV")))
            case "text" if text:
                self._now.figures[-1].texts.append(text)


def _marks(d: str) -> int:
    """Return the number of points of a path; 0 for a line along the grid."""
    points = [(float(x), float(y)) for x, y in _PAIR.findall(re.sub(r"[A-Za-z]", " ", d))]
    if "h0" in d:
        return d.count("h0")
    is_along = len({x for x, _ in points}) < 2 or len({y for _, y in points}) < 2
    return 0 if is_along else len(points)
