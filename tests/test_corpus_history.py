"""A corpus between two runs and while one goes on: its rows are those of the corpus, each once, or it is refused."""

import gc
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.benchmarks.binoculars import BinocularsBenchmark, BinocularsFactors
from actors.benchmarks.shard_fragments import shard_fragments
from actors.worker import Worker
from sweeps.errors import UserError
from sweeps.plan.spec import Defaults, Spec, Sweep
from sweeps.plan.spec_reader import with_defaults
from sweeps.planning import make_plan
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.policy import Policy
from sweeps.schedule.run_status import Status
from sweeps.task import Allocation, Answer, Outcome, Slot, Stop, Task, TaskShard

pytestmark = pytest.mark.slow

ALLOCATION = Allocation("w", Slot("cpu", 0, 1), "here", "cpu", "a CPU")
Texts = list[tuple[str, str]]
"""Id and text of each record."""


class Hashing(BinocularsBenchmark):
    """Scores a fragment by its text alone, without models."""

    def load(self, factors: Any, devices: tuple[str, ...]) -> Any:
        return devices

    def unload(self, held: Any) -> None:
        gc.freeze()  # again: here nothing that the worker unfroze is to be freed, and the next one would search it all

    def rows(self, held: Any, task: Task, factors: BinocularsFactors) -> Any:
        assert task.shard is not None
        for fragment in shard_fragments(task.shard, factors.corpus, factors.fragments):
            yield {
                "record_id": fragment.record_id,
                "fragment_index": fragment.fragment_index,
                "author": fragment.author,
                "text_sha256": fragment.text_sha256,
                "null_reason": fragment.null_reason,
                "score": None if fragment.null_reason else float(len(fragment.text)),
            }


REGISTRY: dict[str, Any] = {"binoculars": Hashing()}


class Killed:
    """A coordinator's line that stops after so many tasks, and may do something before any of them."""

    coordinator: Coordinator

    def __init__(self, tasks: int, before: Callable[[], object], flushed: int | None = None) -> None:
        self._left = tasks
        self._before = before
        self._until_flush = flushed

    def join(self, allocation: Allocation, environment: dict[str, Any], environment_id: str) -> None:
        self.coordinator.join(allocation, environment, environment_id)

    def exchange(self, worker_id: str, outcomes: Sequence[Outcome]) -> Answer:
        for outcome in outcomes:
            self.deliver(worker_id, [outcome])
        self._left -= len(outcomes)
        if self._left <= 0:
            return Stop()
        answer = self.coordinator.exchange(worker_id, [])
        self._before()
        return answer

    def deliver(self, worker_id: str, outcomes: Sequence[Outcome]) -> None:
        self.coordinator.deliver(worker_id, outcomes)
        if self._until_flush is not None:
            self._until_flush -= len(outcomes)
            if self._until_flush == 0:
                self.coordinator._directory.flush()

    def fetch(self, task: Task) -> TaskShard:
        return self.coordinator.fetch(task)


def spec_of(*paths: Path) -> Spec:
    levels = [{"path": str(path), "text": "body", "label": "who", "id": "key"} for path in paths]
    sweep = Sweep(
        name="s",
        benchmark="binoculars",
        factors={
            "pair": [["builtin://tiny-base", "builtin://tiny-instruct"]],
            "corpus": levels,
            "fragments": [{"mode": "whole"}],
            "shard_records": [3],
        },
    )
    return with_defaults(Spec(name="history", sweep=[sweep]), Defaults(device="cpu", cpu_cores=1), REGISTRY)


def write(path: Path, texts: Texts) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = ({"key": key, "body": text, "who": "human" if len(text) % 2 else "ai"} for key, text in texts)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def run(spec: Spec, directory: Path, tasks: int = 10_000, before: Callable[[], object] = lambda: None) -> Status:
    """Run the tasks that are left, or the first so many of them."""
    coordinator = _worked(spec, directory, Killed(tasks, before))
    coordinator.leave("w")
    return coordinator.close()


def run_killed(spec: Spec, directory: Path, flushed: int, lost: int) -> None:
    """Run tasks whose rows reach the disk, then others whose rows are lost with the process."""
    coordinator = _worked(spec, directory, Killed(flushed + lost, lambda: None, flushed))
    coordinator._directory._lock.release()


def _worked(spec: Spec, directory: Path, line: "Killed") -> Coordinator:
    coordinator = Coordinator(make_plan(spec, REGISTRY, directory), REGISTRY, Policy())
    coordinator.open()
    line.coordinator = coordinator
    Worker(ALLOCATION, REGISTRY, ({}, "e")).work(line)
    return coordinator


def rows(directory: Path) -> pd.DataFrame:
    return pd.read_parquet(directory / "s")


def scored(directory: Path) -> Counter[tuple[Any, ...]]:
    table = rows(directory)
    assert not table.duplicated(["record_id", "author", "fragment_index"]).any(), "a record is scored once"
    return Counter(zip(table["record_id"], table["author"], table["text_sha256"], strict=True))


def everything_in(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


words = st.sampled_from(["the sea was calm", "a night", "so were we until", "wind came", "it rained for days"])
records = st.tuples(st.sampled_from(["a", "b", "c", "d#texts.jsonl:1"]), words)
corpora = st.lists(records, min_size=1, max_size=9)


def _insert(texts: Texts, more: Texts, place: int) -> Texts:
    place %= len(texts) + 1
    return [*texts[:place], *more, *texts[place:]]


CHANGES: dict[str, Callable[[Texts, Texts, int], Texts]] = {
    "nothing": lambda texts, _more, _place: texts,
    "append": lambda texts, more, _place: [*texts, *more],
    "insert": _insert,
    "edit": lambda texts, more, place: [*texts[: place % len(texts)], *more[:1], *texts[place % len(texts) + 1 :]],
    "reverse": lambda texts, _more, _place: texts[::-1],
    "shrink": lambda texts, _more, place: texts[: max(1, place % len(texts))],
    "replace": lambda _texts, more, _place: more,
}


@pytest.mark.fuzz
@given(
    texts=corpora,
    more=corpora,
    change=st.sampled_from(sorted(CHANGES)),
    place=st.integers(0, 20),
    moved=st.booleans(),
    flushed=st.integers(1, 3),
    lost=st.integers(0, 2),
)
def test_after_any_change_rows_are_those_of_the_corpus_or_the_run_is_refused(
    texts: Texts, more: Texts, change: str, place: int, moved: bool, flushed: int, lost: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        first = root / "one" / "texts.jsonl"
        write(first, texts)
        run_killed(spec_of(first), root / "run", flushed, lost)
        after = CHANGES[change](texts, more, place)
        second = root / "two" / "texts.jsonl" if moved else first
        write(second, after)
        before = everything_in(root / "run")
        scored_before = any((root / "run" / "s").glob("part-*"))
        continues = after[: len(texts)] == texts or not scored_before
        try:
            status = run(spec_of(second), root / "run")
        except UserError as error:
            assert not continues
            assert "texts.jsonl" in str(error)
            assert everything_in(root / "run") == before, "and nothing was touched"
        else:
            assert continues
            assert (status.left, status.failure) == (0, None)
            run(spec_of(second), root / "fresh")
            assert scored(root / "run") == scored(root / "fresh")
            assert rows(root / "run")["cell_id"].nunique() == 1, "and all of them are of one cell"


def numbered(count: int, first: int = 0) -> Texts:
    return [(f"k{number}", f"text number {number} of some words") for number in range(first, first + count)]


def test_a_corpus_that_grows_twice_has_only_its_new_rows_scored(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    for count in (5, 7, 12):
        write(path, numbered(count))
        before = len(rows(tmp_path / "run")) if count > 5 else 0
        assert run(spec_of(path), tmp_path / "run").rows == count - before
    assert len(rows(tmp_path / "run")) == 12


def test_growth_while_the_run_goes_on_waits_for_the_next_command(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    write(path, numbered(9))
    status = run(spec_of(path), tmp_path / "run", before=lambda: write(path, numbered(11)))
    assert (status.left, status.failure, status.rows) == (0, None, 9)
    assert run(spec_of(path), tmp_path / "run").rows == 2


@pytest.mark.parametrize("away", [False, True])
def test_a_corpus_that_is_rewritten_while_the_run_goes_on_stops_it(away: bool, tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    write(path, numbered(30))
    other = [(key, text.upper()) for key, text in numbered(30)]

    def change(path: Path) -> None:
        if away:
            path.unlink(missing_ok=True)
        else:
            write(path, other)

    status = run(spec_of(path), tmp_path / "run", before=lambda: change(path))
    assert status.failure is not None
    assert str(path) in status.failure
    assert "Errno" not in status.failure
    assert (status.done, status.rows) == (0, 0), "nothing of it counts as done"
    if not away:
        assert run(spec_of(path), tmp_path / "run").rows == 30, "no rows were there, so this is a corpus like any other"


def test_what_was_scored_before_the_corpus_changed_counts_only_for_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    write(path, numbered(30))
    asked = []

    def rewrite() -> None:
        asked.append(None)
        if len(asked) == 2:
            write(path, numbered(30, first=100))

    status = run(spec_of(path), tmp_path / "run", before=rewrite)
    assert status.failure is not None
    assert 0 < status.rows < 30
    with pytest.raises(UserError, match=str(path)):
        run(spec_of(path), tmp_path / "run")
    write(path, numbered(30))
    assert run(spec_of(path), tmp_path / "run").rows == 30 - status.rows


def test_a_second_corpus_is_added_and_the_first_goes_on(tmp_path: Path) -> None:
    one, two = tmp_path / "one" / "texts.jsonl", tmp_path / "two" / "texts.jsonl"
    write(one, numbered(4))
    write(two, numbered(3, first=50))
    run(spec_of(one), tmp_path / "run")
    assert run(spec_of(one, two), tmp_path / "run").rows == 3
    assert rows(tmp_path / "run")["corpus"].nunique() == 2


@pytest.mark.parametrize("swapped", [False, True])
def test_corpora_that_moved_are_matched_by_what_they_are_not_by_their_order(swapped: bool, tmp_path: Path) -> None:
    for name, count in (("head", 4), ("full", 9)):
        write(tmp_path / "old" / name / "texts.jsonl", numbered(count))
    old = [tmp_path / "old" / name / "texts.jsonl" for name in ("head", "full")]
    run(spec_of(*old), tmp_path / "run")
    (tmp_path / "old").rename(tmp_path / "new")
    new = [tmp_path / "new" / name / "texts.jsonl" for name in ("head", "full")]
    write(new[0], numbered(6))
    assert run(spec_of(*(new[::-1] if swapped else new)), tmp_path / "run").rows == 2
    counts = rows(tmp_path / "run").groupby("corpus").size()
    assert {Path(json.loads(level)["path"]).parent.name: count for level, count in counts.items()} == {
        "head": 6,
        "full": 9,
    }
