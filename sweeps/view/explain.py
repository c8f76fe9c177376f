"""`--explain NAME`: the keys of a spec, or the factors and metrics of a benchmark, in the terminal. Starts nothing.

What the docs say in tables stands here in paragraphs, which read at any width.
"""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.text import Text

from sweeps.errors import UserError
from sweeps.plan.declaration import Registry, unusable_in
from sweeps.plan.spec import Figure, Spec, Sweep
from sweeps.printable import printable
from sweeps.schema import COLUMNS
from sweeps.view.fields import OPTIONAL, REQUIRED, FieldHelp, fields_of, summary_of

SPEC: Final = "spec"
_MARGIN: Final = 4
_NARROWEST: Final = 16
"""Cells of text beside a margin; a terminal that has fewer breaks the lines itself."""


@dataclass(frozen=True)
class Paragraph:
    """One paragraph: wrapped within its margin."""

    text: str
    margin: int = 0
    style: str = ""


BLANK: Final = Paragraph("")


def print_explanation(console: Console, name: str, registry: Registry) -> None:
    """Print what can be written in a spec, or about one benchmark, at the width of the terminal.

    Raises:
        UserError: there is nothing of that name; the message lists the choices.
    """
    if reason := unusable_in(registry).get(name):
        raise UserError(f"--explain {name}: cannot be used: {reason}")
    choices = [SPEC, *sorted(registry)]
    if name not in choices:
        near = difflib.get_close_matches(name, choices, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise UserError(f"--explain {name}: unknown{hint}; choose one of {', '.join(choices)}")
    paragraphs = _spec(registry) if name == SPEC else _benchmark(name, registry)
    # In one print: a pipe may read the first lines only, and close.
    console.print(Text("\n").join(_lines(console, paragraphs)), highlight=False, soft_wrap=True)


def refuse_other_arguments(context: typer.Context) -> None:
    """Refuse specs and options beside `--explain`, which would have no effect.

    Raises:
        UserError: some are given; the message names them.
    """
    given = [parameter.opts[0] for parameter in context.command.params if _is_given(parameter.name, context)]
    if others := [name for name in given if name != "--explain"]:
        raise UserError(f"--explain stands alone, because it runs nothing: leave out {', '.join(others)}")


def _is_given(parameter: str | None, context: typer.Context) -> bool:
    source = context.get_parameter_source(parameter) if parameter else None
    return source is not None and not source.name.startswith("DEFAULT")


def _spec(registry: Registry) -> Iterator[Paragraph]:
    yield Paragraph("spec: a TOML file of sweeps; docs/specs.md has an example")
    yield from _fields("Keys of a spec", Spec)
    yield from _fields("Keys of each [[sweep]]", Sweep)
    yield from _fields("Keys of [sweep.figure]", Figure)
    yield from _heading("Benchmarks; --explain NAME prints the factors and metrics of one")
    for name in sorted(registry):
        yield Paragraph(name, style="bold")
        yield Paragraph(summary_of(name, registry), _MARGIN)


def _benchmark(name: str, registry: Registry) -> Iterator[Paragraph]:
    columns = registry[name].columns
    yield Paragraph(f"{name}: {summary_of(name, registry)}")
    yield from _fields("Factors, a list of levels each, in [sweep.factors]", registry[name].factors)
    if columns.identity:
        yield from _heading("Columns that tell the rows of one task apart")
        yield Paragraph(", ".join(columns.identity), _MARGIN)
    explained_in = "docs/measurements.md" if name in COLUMNS else type(registry[name]).__module__
    yield from _heading(f"Metrics; {explained_in} says what each means")
    yield Paragraph(", ".join(columns.metrics) or "none", _MARGIN)


def _fields(heading: str, model: type[BaseModel]) -> Iterator[Paragraph]:
    yield from _heading(heading)
    for field in fields_of(model):
        yield Paragraph(field.name, style="bold")
        yield Paragraph(f"{field.values}; {_default(field)}", _MARGIN)
        yield Paragraph(field.meaning, _MARGIN)


def _default(field: FieldHelp) -> str:
    return field.default if field.default in (REQUIRED, OPTIONAL) else f"default: {field.default}"


def _heading(text: str) -> tuple[Paragraph, ...]:
    return BLANK, Paragraph(text, style="underline"), BLANK


def _lines(console: Console, paragraphs: Iterable[Paragraph]) -> Iterator[Text]:
    """Wrap paragraphs; their backticks are for the docs, where they make code of what is between."""
    for paragraph in paragraphs:
        text = Text(printable(paragraph.text.replace("`", "")))
        for line in text.wrap(console, max(console.width - paragraph.margin, _NARROWEST)) or [text]:
            line.rstrip()
            line.stylize(paragraph.style)
            yield Text(" " * paragraph.margin) + line
