"""Make a figure's SVG part of the page: small, with the page's fonts and colours, and its text as text.

The SVG files beside the page stay as matplotlib wrote them. Here colours become CSS variables, so that a dark page has
light lines; styles that repeat become classes; numbers have one decimal. Only elements that draw are kept. Knows
matplotlib's SVG. Does not know what a figure shows.
"""

import re
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree

from markupsafe import Markup, escape

from analysis.canvas import PALETTE

_DRAWN: Final = frozenset(
    {"svg", "g", "path", "text", "tspan", "use", "defs", "clipPath", "rect", "line", "polyline", "polygon", "circle"}
)
"""Elements that are kept: none of them can run or load anything, as no link leaves the page."""
_KEPT: Final = ("d", "x", "y", "x1", "y1", "x2", "y2", "width", "height", "cx", "cy", "r", "points", "transform", "dy")
"""Attributes that are kept as they are, but for the decimals."""
_COLORS: Final = {
    **{color.lower(): f"var(--c{number})" for number, color in enumerate(PALETTE)},
    "#000000": "currentColor",
    "#ffffff": "var(--paper)",
    "#d9d9d9": "var(--line)",
}
_NOT_SAID: Final = ("font-family", "font", "stroke-linejoin", "font-stretch", "font-variant")
"""Properties that the page's own CSS decides."""
_NUMBER: Final = re.compile(r"-?\d+\.\d+")
_BARE: Final = re.compile(r"[A-Za-z0-9#.-]+")
_ACROSS: Final = re.compile(r"M(\S+) (\S+)L(\S+) \2(?=$|M)")
_DISC: Final = re.compile(r"M 0 (\d+(?:\.\d+)?)\s*(?:C [^CLz]*){8}z")
"""matplotlib's circle: eight curves."""
_NO_TURN: Final = re.compile(r"rotate\(-?0(\.0*)? [^)]*\)")
_LOCAL: Final = re.compile(r"url\(#([^)]*)\)")
_XLINK: Final = "{http://www.w3.org/1999/xlink}href"


class SvgInliner:
    """Turns the SVGs of one page into parts of it, and collects the classes that they use."""

    def __init__(self) -> None:
        self._classes: dict[str, str] = {}
        self._figures = 0
        self._discs: dict[str, float] = {}

    def inline(self, svg: bytes, caption: str) -> Markup:
        """Return an SVG as an element of the page.

        Raises:
            ElementTree.ParseError: the bytes are no SVG.
        """
        self._figures += 1
        root = ElementTree.fromstring(svg)  # noqa: S314 - matplotlib wrote it a moment ago
        self._discs = _discs(root)
        names = {name: f"f{self._figures}-{place}" for place, name in enumerate(_linked(root))}
        width, height = (float(number) for number in root.get("viewBox", "0 0 1 1").split()[2:])
        inner = "".join(self._element(child, names) for child in root)
        opening = Markup('<svg viewBox="0 0 {} {}" width="{}" role="img" aria-label="{}">').format(
            round(width), round(height), round(4 / 3 * width), caption
        )
        return opening + Markup(inner + "</svg>")  # noqa: S704 - each attribute and text was escaped

    def css(self) -> Markup:
        """Return the rules of all classes so far."""
        rules = (f".{name}{{{style}}}" for style, name in self._classes.items())
        return Markup("\n".join(rules))  # noqa: S704 - styles that matplotlib wrote

    def _element(self, element: ElementTree.Element, names: dict[str, str], shared: str = "") -> str:
        """Return an element as HTML; only its children where it says nothing itself; '' where it does not draw.

        Args:
            element: and its children.
            names: ids on the page by ids in the SVG.
            shared: style that the element has from the one around it.
        """
        tag = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
        if tag not in _DRAWN or element.get("id") == "patch_1":  # the first patch is the white ground
            return ""
        if tag == "g" and (radius := self._discs.get(_only_link(element))):
            return self._dots(element, names, radius)
        said = "".join(f" {name}={_quoted(value)}" for name, value in self._attributes(element, names, shared))
        keeps_text = tag in ("text", "tspan")
        inner = str(escape(element.text or "")) if keeps_text else ""
        common = _common_style(element) if tag == "g" else ""
        for child in element:
            inner += self._element(child, names, common) + (str(escape(child.tail or "")) if keeps_text else "")
        if common:
            said += f" class={self._class(common)}"
        if tag == "g" and not said:
            return inner
        if not inner and tag in ("g", "defs", "text"):
            return ""
        return f"<{tag}{said}>{inner}</{tag}>" if inner else f"<{tag}{said} />"

    def _dots(self, element: ElementTree.Element, names: dict[str, str], radius: float) -> str:
        """Return a group of round marks as one path of points with round ends: a third of the size."""
        style = dict(pair.split(":", 1) for pair in _common_style(element).split(";"))
        edge = float(style.get("stroke-width", 1)) if style.get("stroke", "none") != "none" else 0.0
        round_ends = {"fill": "none", "stroke": style.get("fill", "currentColor"), "stroke-linecap": "round"}
        round_ends["stroke-width"] = f"{2 * radius + edge:.1f}"
        round_ends |= {"opacity": style["opacity"]} if "opacity" in style else {}
        points = "".join(f"M{_short(mark.get('x', '0'))} {_short(mark.get('y', '0'))}h0" for mark in element)
        said = "".join(f" {name}={_quoted(value)}" for name, value in self._attributes(element, names, ""))
        look = ";".join(f"{name}:{value}" for name, value in round_ends.items())
        return f'<path{said} class={self._class(look)} d="{points}" />'

    def _attributes(
        self, element: ElementTree.Element, names: dict[str, str], shared: str
    ) -> Iterator[tuple[str, str]]:
        """Yield the attributes that an element keeps."""
        if (name := element.get("id")) in names:
            yield "id", names[name]
        if (link := element.get(_XLINK) or element.get("href") or "")[1:] in names:
            yield "href", f"#{names[link[1:]]}"
        if (clip := _LOCAL.fullmatch(element.get("clip-path", ""))) and clip[1] in names:
            yield "clip-path", f"url(#{names[clip[1]]})"
        for key in _KEPT:
            if short := _short(element.get(key, "")):
                yield key, short
        style = _style(element.get("style", ""))
        if style and style != shared:
            yield "class", self._class(style)

    def _class(self, style: str) -> str:
        """Return the class of a style."""
        return self._classes.setdefault(style, f"s{len(self._classes)}")


def _discs(root: ElementTree.Element) -> dict[str, float]:
    """Return the radius of every round mark that is filled, by its id."""
    found = {}
    for element in root.iter():
        if (name := element.get("id")) and (disc := _DISC.match(element.get("d", ""))):
            found[name] = float(disc[1])
    return found


def _only_link(group: ElementTree.Element) -> str:
    """Return the id that all marks of a group refer to; '' where they differ in it or in their style."""
    if not _common_style(group):
        return ""
    links = {mark.get(_XLINK, "").removeprefix("#") for mark in group}
    return links.pop() if len(links) == 1 else ""


def _common_style(element: ElementTree.Element) -> str:
    """Return the style that all marks of a group have; '' where they differ, or the group holds other elements."""
    if len(element) < 2 or any(not str(child.tag).endswith("}use") for child in element):
        return ""
    styles = {_style(child.get("style", "")) for child in element}
    return styles.pop() if len(styles) == 1 else ""


def _quoted(value: str) -> str:
    """Return the value of an attribute, in quotes only where HTML needs them."""
    return value if _BARE.fullmatch(value) else f'"{escape(value)}"'


def _linked(root: ElementTree.Element) -> dict[str, None]:
    """Return the ids that some element refers to, in the order of the references."""
    found: dict[str, None] = {}
    for element in root.iter():
        if link := element.get(_XLINK) or element.get("href"):
            found[link.removeprefix("#")] = None
        if clip := _LOCAL.fullmatch(element.get("clip-path", "")):
            found[clip[1]] = None
    return found


def _short(value: str) -> str:
    """Return coordinates with one decimal and no more spaces than needed."""
    value = _NO_TURN.sub("", value)
    value = _NUMBER.sub(lambda match: f"{round(float(match[0]), 1) + 0.0:g}", value)
    value = re.sub(r"\s*([A-Za-z])\s+", r"\1", re.sub(r"\s+", " ", value)).strip()
    return _ACROSS.sub(r"M\1 \2H\3", value)


def _style(style: str) -> str:
    """Return a style in the page's colours, without what the page's CSS says."""
    pairs = (part.partition(":") for part in style.split(";") if ":" in part)
    kept = {name.strip(): value.strip() for name, _, value in pairs if name.strip() not in _NOT_SAID}
    return ";".join(f"{name}:{_COLORS.get(value.lower(), value)}" for name, value in kept.items())
