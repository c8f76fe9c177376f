"""Sweeps cut by the tokens of a pair: the same fragments whatever fails, is stopped, or is missing."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest

from actors.benchmarks import BENCHMARKS
from actors.benchmarks.binoculars import BinocularsBenchmark, BinocularsFactors
from actors.benchmarks.fidelity import FidelityBenchmark, FidelityFactors
from actors.benchmarks.shard_fragments import fragment_key, shard_fragments, token_spans_of
from actors.devices.nodes import local_node
from actors.inline_pool import InlinePool
from models.errors import ModelUnavailable
from sweeps.errors import UserError
from sweeps.planning import make_plan
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.policy import Policy
from sweeps.schedule.run_status import Status
from sweeps.schedule.supervisor import Interrupts, Supervisor
from sweeps.task import Allocation, Run, Slot, TaskShard
from tests.actors.benchmarks.test_binoculars import PAIR, columns, corpus, run_inline, scoring_spec
from tests.fakes import plan_of

pytestmark = pytest.mark.slow
__all__ = ["corpus"]

TOKENS = {"mode": "random", "min_tokens": 16, "max_tokens": 48}
KEY = ("record_id", "author", "fragment_index", "text_sha256", "start_word", "length_words", "null_reason")
LEVELS = [TOKENS, TOKENS | {"balanced": False}, {"mode": "window", "tokens": 40, "step": 20}]


@pytest.fixture(autouse=True)
def _fresh_tokenizers() -> Iterator[None]:
    token_spans_of.cache_clear()
    yield
    token_spans_of.cache_clear()


def cut_rows(rows: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    found = {tuple(row[name] for name in KEY) for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize("level", LEVELS, ids=["balanced", "unbalanced", "windows"])
def test_fragments_have_about_the_tokens_asked_for_in_shards_of_any_size(
    level: dict[str, Any], corpus: Path, tmp_path: Path
) -> None:
    one, other = (
        run_inline(scoring_spec(corpus, fragments=[level], shard_records=[records]), tmp_path / str(records))
        for records in (1, 100)
    )
    assert cut_rows(one) == cut_rows(other)
    scored = [row for row in one if row["score"] is not None]
    assert {row["status"] for row in one} == {"ok"}
    assert {row["author"] for row in scored} == {"human", "synthetic"}
    longest = level.get("max_tokens", level.get("tokens"))
    shortest = level.get("min_tokens", 1)
    assert all(shortest - 2 <= row["length_tokens"] <= longest + 2 for row in scored)


@pytest.mark.parametrize(
    ("level", "warned"),
    [
        ({"mode": "random", "min_tokens": 16, "max_tokens": 48}, True),
        ({"mode": "window", "tokens": 46, "step": 20}, True),
        ({"mode": "window", "tokens": 45, "step": 20}, False),
        ({"mode": "prefix", "tokens": [48]}, False),  # counts special tokens itself
        ({"mode": "random", "min_words": 16, "max_words": 48}, False),
    ],
)
def test_before_a_run_it_is_told_where_fragments_have_no_room_for_special_tokens(
    level: dict[str, Any], warned: bool, corpus: Path
) -> None:
    spec = scoring_spec(corpus, fragments=[level], max_tokens=[48, 512])
    told = [warning for warning in plan_of(spec, BENCHMARKS).grids[0].inputs.warnings if "no room" in warning]
    longest = level.get("tokens", 48)
    assert len(told) == warned
    if warned:
        assert told[0].startswith(
            f"factors.fragments asks for up to {longest} tokens, and max_tokens 48 leaves no room"
        )
        assert f"rows then say truncated; give max_tokens = [{longest + 3}] or more" in told[0]


def test_a_run_that_was_stopped_continues_with_the_same_fragments(corpus: Path, tmp_path: Path) -> None:
    spec = scoring_spec(corpus, fragments=[TOKENS])
    coordinator = Coordinator(make_plan(spec, BENCHMARKS, tmp_path / "run"), BENCHMARKS, Policy())
    coordinator.open()
    interrupts = Interrupts(0.0)

    def stop(status: Status) -> None:
        if status.done and not interrupts.count:
            interrupts.ask()

    Supervisor(coordinator, InlinePool(coordinator, BENCHMARKS, local_node(), 600.0), stop, interrupts).run()
    assert 0 < coordinator.close().done < 4
    continued = run_inline(spec, tmp_path / "run")
    assert cut_rows(continued) == cut_rows(run_inline(spec, tmp_path / "calm"))


def test_a_shard_whose_workers_die_has_a_row_for_each_fragment(corpus: Path, tmp_path: Path) -> None:
    lost = lost_rows(corpus, tmp_path / "lost")
    assert cut_rows(lost) == cut_rows(run_inline(scoring_spec(corpus, fragments=[TOKENS]), tmp_path / "calm"))


def test_without_the_tokenizer_a_lost_shard_has_a_row_for_each_text(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(name: str) -> None:
        raise ModelUnavailable(f"{name}: not here")

    monkeypatch.setattr("models.resolve.resolve_tokenizer", resolve)
    rows = lost_rows(corpus, tmp_path)
    texts = {(row["record_id"], row["author"]) for row in rows}
    assert len(texts) == len(rows) == 2 * 13 + 2
    assert {row["null_reason"] for row in rows} == {"not_cut", "bad_row", "not_text"}


def test_what_remains_of_a_shard_is_told_also_without_the_tokenizer(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = plan_of(scoring_spec(corpus, fragments=[TOKENS]), BENCHMARKS).task(0)
    assert task.shard is not None
    fragments = list(shard_fragments(task.shard, columns(corpus), TOKENS, token_spans_of(PAIR[0])))
    remaining = frozenset(map(fragment_key, fragments[1::2]))
    token_spans_of.cache_clear()
    monkeypatch.setattr("models.resolve.resolve_tokenizer", lambda _: (_ for _ in ()).throw(OSError("no files")))
    shard = TaskShard(task.shard.name, task.shard.content, remaining)
    rows = list(BinocularsBenchmark().row_identities(replace(task, shard=shard)))
    names = ("record_id", "author", "generator", "fragment_index")
    assert {json.dumps([row[name] for name in names]) for row in rows} == remaining
    assert len(rows) == len(remaining)


def lost_rows(corpus: Path, directory: Path) -> list[dict[str, Any]]:
    """Return the rows of a run whose workers die at every task."""
    plan = make_plan(scoring_spec(corpus, fragments=[TOKENS]), BENCHMARKS, directory)
    coordinator = Coordinator(plan, BENCHMARKS, Policy())
    coordinator.open()
    allocation = Allocation("w", Slot("cpu", 0, 1), "here", "cpu", "a CPU")
    coordinator.join(allocation, {}, "e")
    while isinstance(coordinator.exchange("w", []), Run):
        coordinator.lost("w", "worker_lost", "killed")
        coordinator.join(allocation, {}, "e")
    assert coordinator.close().counts == {"worker_lost": 4}
    return ds.dataset(sorted(directory.glob("s/part-*.parquet"))).to_table().to_pylist()  # type: ignore[no-any-return]


def test_fragments_longer_than_what_is_scored_are_refused(corpus: Path) -> None:
    level = {"mode": "random", "min_tokens": 16, "max_tokens": 600}
    with pytest.raises(UserError, match="fragments of up to 600 tokens, and max_tokens cuts texts at 512: raise"):
        plan_of(scoring_spec(corpus, fragments=[level]), BENCHMARKS).check()


def test_the_observers_tokenizer_cuts_for_both_models() -> None:
    pair, alone = BinocularsBenchmark(), FidelityBenchmark()
    assert pair.tokenizer_of(BinocularsFactors(device="cpu", cpu_cores=1, pair=["a/base", "a/instruct"])) == "a/base"
    assert (
        alone.tokenizer_of(FidelityFactors(device="cpu", cpu_cores=1, model="a/base", quantization="8-bit")) == "a/base"
    )
