"""The page in short: few sentences, every section's first one before any second, none said twice or lost."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from analysis.assembly import measured_sweeps
from analysis.in_short import Finding, in_short
from analysis.load import read_run
from analysis.sections.order import SECTIONS
from analysis.sections.section import Content, Notebook, Section
from analysis.study import Made, NotebookPart, make_study


def part(*sections: tuple[str, dict[str, tuple[str, ...]]]) -> NotebookPart:
    """A part of the study whose sections say these sentences of each sweep."""
    made = tuple(
        Made(
            Section(Notebook.SCORES, "1", "title", "spec", "noop", (), lambda _: None, summary_title=title),
            tuple((sweep, Content(sentences=said)) for sweep, said in sweeps.items()),
        )
        for title, sweeps in sections
    )
    return NotebookPart(Notebook.SCORES, made, {})


def test_each_finding_has_its_first_sentence_before_any_has_a_second() -> None:
    parts = [part(("one", {"a": ("1", "2", "3")}), ("two", {"a": ("4",)}), ("three", {"a": ("5", "6")}))]
    short = in_short(parts, most=4)
    assert short.shown == (Finding("one", ("1", "2")), Finding("two", ("4",)), Finding("three", ("5",)))
    assert short.folded == (Finding("one", ("3",)), Finding("three", ("6",)))
    assert short.folded_count == "2 sentences"
    assert in_short(parts).folded == ()


def test_sweeps_that_say_the_same_share_a_finding_and_a_heading_names_them_only_among_several() -> None:
    shared = part(("pairs", {"a": ("same",), "b": ("other",), "c": ("same",)}), ("alone", {"a": ("x",)}))
    assert in_short([shared]).shown == (
        Finding("pairs", ("same",), ("a", "c")),
        Finding("pairs", ("other",), ("b",)),
        Finding("alone", ("x",)),
    )
    assert in_short([shared]).shown[0].title == "pairs (a, c)"


def test_a_section_without_a_summary_title_and_one_without_sentences_are_left_out() -> None:
    short = in_short([part(("", {"a": ("detail",)}), ("empty", {"a": ()}))])
    assert (short.shown, short.folded) == ((), ())


def test_a_section_may_have_sentences_of_its_own_for_the_top_or_none() -> None:
    whole = part(("one", {"a": ("long",), "b": ("detail",)}))
    (made,) = whole.made
    contents = tuple(
        (name, replace(content, in_short=said))
        for (name, content), said in zip(made.contents, (("short",), ()), strict=True)
    )
    short = in_short([replace(whole, made=(replace(made, contents=contents),))])
    assert (short.shown, short.folded) == ((Finding("one", ("short",), ("a",)),), ())


def test_decoding_strategies_stand_at_the_top_with_the_rows_that_they_are_of(
    run_dir: Path, write: Any, cell: Any
) -> None:
    rows = [
        row
        for model in ("a/one", "a/two")
        for tokens in (16, 64)
        for strategy, speed in (("greedy", 2.0), ("beam_search", 1.0))
        for row in cell(
            [speed * rate for rate in (10.0, 10.1, 9.9, 10.05, 9.95)],
            model=model,
            max_new_tokens=tokens,
            decoding_strategy=strategy,
        )
    ]
    rows = [row | {"benchmark": "decoding_strategy"} for row in rows]
    write(run_dir, rows, "decoding_strategy", benchmark="decoding_strategy")
    (finding,) = in_short(make_study(measured_sweeps([read_run(run_dir)], ["demo"]))).shown
    assert finding.heading == "Decoding strategies"
    assert finding.sentences[0].startswith(
        "Rows of model a/one. No row has 256 max new tokens: 64 is shown instead. "
        "Decoding strategy, from faster to slower: greedy; then beam_search. greedy is 2 times as fast as beam_search"
    )


def test_no_title_at_the_top_names_a_model_that_the_rows_may_not_be_of() -> None:
    titles = [section.summary_title for section in SECTIONS if section.summary_title]
    assert len(titles) == len(set(titles)) > 5
    assert not any("LLaMA" in title or "GTX" in title for title in titles)


def test_sweeps_stand_in_the_order_of_the_outline(run_dir: Any, write: Any, row: Any) -> None:
    for name in ("binoculars_combinations", "binoculars_models", "binoculars_fragments", "another"):
        write(run_dir, [row(sweep=name, benchmark="binoculars", status="error")], name, benchmark="binoculars")
    write(run_dir, [row(sweep="z")], "z")
    run = read_run(run_dir)
    assert [sweep.name for sweep in measured_sweeps([run], ["demo"])] == [
        "z", "binoculars_fragments", "binoculars_models", "binoculars_combinations", "another",
    ]  # fmt: skip
