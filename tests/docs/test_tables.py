"""The tables of docs/specs.md are what the models say now; `make docs` rewrites them."""

import re

import pytest

from actors.benchmarks import BENCHMARKS
from docs.tables import KEYS, PAGE, SCHEMA, SHARED, SUMMARIES, rewritten, schema, table
from sweeps.plan.declaration import Factors
from sweeps.plan.spec import Figure, Spec, Sweep

TEXT = PAGE.read_text(encoding="utf-8")
NAMES = re.findall(r"<!-- generated: (.+) -->", TEXT)


def own(name: str) -> bool:
    """True for a benchmark of this project; one of another package is in its own docs."""
    return type(BENCHMARKS[name]).__module__.startswith("actors.")


def test_the_page_is_as_the_models_are_now() -> None:
    assert rewritten(TEXT) == TEXT, "run `make docs`"


def test_the_page_has_every_table_once() -> None:
    assert sorted(NAMES) == sorted([*KEYS, *SHARED, SUMMARIES, *filter(own, BENCHMARKS)])


def test_every_key_and_every_factor_of_every_benchmark_is_on_the_page() -> None:
    for model, name in ((Spec, "spec"), (Sweep, "sweep"), (Figure, "figure")):
        assert rows(name) == list(model.model_fields)
    shared = {*rows("every benchmark"), *rows("a loaded model")}
    for name in filter(own, BENCHMARKS):
        factors = BENCHMARKS[name].factors.model_fields
        assert set(rows(name)) <= set(factors) <= {*rows(name), *shared}


def rows(name: str) -> list[str]:
    """First cells of a table on the page."""
    (block,) = re.findall(rf"<!-- generated: {name} -->\n(.*?)<!-- end -->", TEXT, re.DOTALL)
    return re.findall(r"^\| `(\w+)` \|", block, re.MULTILINE)


def test_links_of_a_benchmark_s_table_lead_to_headings() -> None:
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)}
    assert set(re.findall(r"\(#([^)]+)\)", TEXT)) <= headings


def test_a_table_that_drifted_is_rewritten_and_nothing_else() -> None:
    drifted = TEXT.replace("| `32` |", "| `33` |").replace("### Factors of logits", "### Factors of logits, by hand")
    assert drifted != TEXT
    assert rewritten(drifted) == TEXT.replace("### Factors of logits", "### Factors of logits, by hand")


def test_a_marker_without_an_end_and_one_of_no_table_are_mistakes() -> None:
    with pytest.raises(ValueError, match="2 tables begin, and 1 of them end"):
        rewritten("<!-- generated: spec -->\n\n<!-- generated: sweep -->\n<!-- end -->\n")
    with pytest.raises(ValueError, match=r"no table 'generatoin'; choose one of spec, sweep, .*, noop"):
        rewritten("<!-- generated: generatoin -->\n<!-- end -->\n")


def test_what_would_end_a_cell_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Factors.model_fields["device"], "description", "one | two\nthree (docs/safety.md)")
    assert r"| one \| two three ([safety.md](safety.md)) |" in table("every benchmark")


def test_the_schema_of_calibration_files_is_as_their_model_is_now() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema(), "run make docs"
