"""`python -m docs.tables`: rewrites the tables of docs/specs.md, and the JSON schema of calibration files.

Both come from the models that check them.

A table stands between `<!-- generated: NAME -->` and `<!-- end -->`; all else on the page is written by hand.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel

import scoring
from actors.benchmarks import BENCHMARKS
from actors.benchmarks.model import ModelFactors
from scoring.calibration import Calibration
from sweeps.plan.declaration import Factors
from sweeps.plan.spec import Figure, Spec, Sweep
from sweeps.view.fields import FieldHelp, fields_of, summary_of

SCHEMA: Final = Path(scoring.__file__).with_name("calibration.schema.json")
PAGE: Final = Path(__file__).with_name("specs.md")
KEYS: Final[Mapping[str, type[BaseModel]]] = {"spec": Spec, "sweep": Sweep, "figure": Figure}
"""Tables of keys, by name."""
SHARED: Final[Mapping[str, tuple[type[Factors], type[Factors] | None]]] = {
    "every benchmark": (Factors, None),
    "a loaded model": (ModelFactors, Factors),
}
"""Tables of factors that benchmarks share, by name: the factors of the first class without those of the second."""
SUMMARIES: Final = "benchmarks"
"""Name of the table of all benchmarks."""
_BEGIN: Final = "<!-- generated:"
_TABLE: Final = re.compile(rf"({_BEGIN} ([^\n]+) -->\n)((?!{_BEGIN}).)*?(<!-- end -->)", re.DOTALL)
_PAGE_OF_DOCS: Final = re.compile(r"\bdocs/([a-z]+\.md)")


def rewritten(page: str) -> str:
    """Return the page with every table as the models have it now.

    Raises:
        ValueError: a marker names no table, or has no end.
    """
    text, count = _TABLE.subn(lambda match: f"{match[1]}\n{table(match[2])}\n\n{match[4]}", page)
    if count != page.count(_BEGIN):
        raise ValueError(f"{page.count(_BEGIN)} tables begin, and {count} of them end with <!-- end -->")
    return text


def table(name: str) -> str:
    """Return the Markdown of one table.

    Raises:
        ValueError: there is no such table; the message lists the choices.
    """
    if name in KEYS:
        return _fields(("key", "value"), fields_of(KEYS[name]))
    if name in SHARED:
        return _fields(("factor", "levels"), _own(*SHARED[name]))
    if name == SUMMARIES:
        return _markdown(
            ("benchmark", "measures"), ((f"`{name}`", summary_of(name, BENCHMARKS)) for name in BENCHMARKS)
        )
    if name in BENCHMARKS:
        return _factors_beside_shared(BENCHMARKS[name].factors)
    raise ValueError(f"no table {name!r}; choose one of {', '.join([*KEYS, *SHARED, SUMMARIES, *BENCHMARKS])}")


def _factors_beside_shared(factors: type[Factors]) -> str:
    """Return the table of a benchmark: the largest shared table by its name, the other factors in full."""
    shared = ModelFactors if issubclass(factors, ModelFactors) else Factors
    names = [name for name, (model, _) in SHARED.items() if issubclass(shared, model)]
    links = " and of ".join(f"[{name}](#factors-of-{name.replace(' ', '-')})" for name in names)
    return f"The factors of {links}, and:\n\n{_fields(('factor', 'levels'), _own(factors, shared))}"


def _own(factors: type[Factors], base: type[Factors] | None) -> list[FieldHelp]:
    shared = base.model_fields if base else {}
    return [field for field in fields_of(factors) if field.name not in shared]


def _fields(heads: tuple[str, str], fields: Iterable[FieldHelp]) -> str:
    rows = ((f"`{field.name}`", field.values, field.default, field.meaning) for field in fields)
    return _markdown((*heads, "default", "meaning"), rows)


def _markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *(f"| {' | '.join(map(_cell, row))} |" for row in rows)])


def _cell(text: str) -> str:
    """Write text as a cell: no break ends the row, and pages of docs are links."""
    return _PAGE_OF_DOCS.sub(r"[\1](\1)", " ".join(text.split()).replace("|", r"\|"))


def schema() -> str:
    """Return the JSON schema of a calibration file."""
    return json.dumps(Calibration.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(schema(), encoding="utf-8")
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
