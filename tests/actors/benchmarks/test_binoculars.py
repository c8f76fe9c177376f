"""Scoring sweeps: shards never change a fragment, each fragment has one row, and one that does not fit is escalated."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from actors.benchmarks import BENCHMARKS
from actors.benchmarks.base import OOM_ITEM
from actors.benchmarks.binoculars import BinocularsBenchmark, BinocularsFactors
from actors.benchmarks.shard_fragments import fragment_key, shard_fragments
from actors.devices.nodes import local_node
from actors.inline_pool import InlinePool
from actors.worker import Worker
from models.builtin import cache
from scoring import Binoculars, CorpusSettings
from scoring.corpora.corpus import Corpus
from scoring.scores import SCORES
from sweeps.errors import InputElsewhere, UserError
from sweeps.metric_columns import PANEL
from sweeps.plan.spec import Defaults, Spec, Sweep
from sweeps.plan.spec_reader import read_spec, with_defaults
from sweeps.planning import make_plan
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.escalation import next_slot
from sweeps.schedule.policy import Policy
from sweeps.schedule.supervisor import Interrupts, Supervisor
from sweeps.schema import COLUMNS
from sweeps.store.rows import failed_rows
from sweeps.task import Allocation, Answer, Lease, Outcome, Run, Slot, Stop, Task, TaskShard
from tests.fakes import plan_of

pytestmark = pytest.mark.slow

PAIR = ["builtin://tiny-base", "builtin://tiny-instruct"]
RANDOM = {"mode": "random", "min_words": 5, "max_words": 30}
DEFAULTS = Defaults(device="cpu", cpu_cores=1)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a corpus of twelve good records, a line that is no JSON, a record without text and an empty line."""
    lines = cache.docs_path().read_text(encoding="utf-8").splitlines()[:12]
    broken = json.loads(lines[0]) | {"id": "null-text", "human": None}
    empty = json.loads(lines[0]) | {"id": "no-words", "human": "  ", "synthetic": " \n"}
    path = tmp_path_factory.mktemp("corpus") / "texts.jsonl"
    path.write_text("\n".join([*lines[:5], "{not json", json.dumps(broken), *lines[5:], json.dumps(empty)]) + "\n")
    return path


def columns(path: Path) -> dict[str, Any]:
    return {"path": str(path), "human": "human", "synthetic": "synthetic", "id": "id", "generator": "generator"}


def parts(path: Path, shard_records: int) -> Sequence[TaskShard]:
    inputs = BinocularsBenchmark().open_inputs(
        {"pair": [PAIR], "corpus": [columns(path)], "shard_records": [shard_records]}, {}, lambda _: None
    )
    opened = inputs.shards({"corpus": columns(path), "shard_records": shard_records})
    return [part for part in opened if part is not None]


def scoring_spec(path: Path, **factors: Any) -> Spec:
    levels = {"pair": [PAIR], "corpus": [columns(path)], "fragments": [RANDOM], "shard_records": [4]}
    levels |= {"dtype": ["float32"]} | factors  # bfloat16 is not the same in every batch
    sweep = Sweep(name="s", benchmark="binoculars", iterations=1, warmup=0, factors=levels)
    return with_defaults(Spec(name="scoring", sweep=[sweep]), DEFAULTS, BENCHMARKS)


def run_inline(spec: Spec, directory: Path) -> list[dict[str, Any]]:
    coordinator = Coordinator(make_plan(spec, BENCHMARKS, directory), BENCHMARKS, Policy())
    coordinator.open()
    pool = InlinePool(coordinator, BENCHMARKS, local_node(), 600.0)
    Supervisor(coordinator, pool, lambda _: None, Interrupts(60.0)).run()
    assert coordinator.close().left == 0
    table = ds.dataset(sorted(directory.glob("s/part-*.parquet"))).to_table()
    assert table.schema.equals(COLUMNS["binoculars"].schema)
    return table.to_pylist()  # type: ignore[no-any-return]


def by_fragment(rows: Sequence[dict[str, Any]]) -> dict[tuple[Any, ...], Any]:
    keyed = {
        (row["record_id"], row["author"], row["fragment_index"], row["prefix_tokens"]): row["score"] for row in rows
    }
    assert len(keyed) == len(rows), "a fragment has exactly one row"
    return keyed


@pytest.mark.parametrize("shard_records", [1, 4, 100])
def test_every_fragment_has_one_row_and_scores_as_the_library_does(
    shard_records: int, corpus: Path, tmp_path: Path
) -> None:
    rows = run_inline(scoring_spec(corpus, shard_records=[shard_records]), tmp_path)
    factors = BinocularsFactors(device="cpu", cpu_cores=1, pair=PAIR, corpus=columns(corpus), fragments=RANDOM)
    fragments = [
        fragment
        for part in parts(corpus, 1000)
        for fragment in shard_fragments(part, factors.corpus, factors.fragments)
    ]
    expected = by_fragment([vars(score) for score in Binoculars(*PAIR, dtype="float32").score_fragments(fragments)])
    assert by_fragment(rows) == pytest.approx(expected, abs=1e-5)
    assert {row["status"] for row in rows} == {"ok"}
    reasons = {row["null_reason"] for row in rows if row["score"] is None}
    assert reasons == {"bad_row", "not_text", "empty_text"}


def test_rows_have_the_panel_unless_it_is_not_asked_for(corpus: Path, tmp_path: Path) -> None:
    rows = run_inline(scoring_spec(corpus, panel=[True, False]), tmp_path)
    scored = {
        flag: [row for row in rows if row["score"] is not None and row["panel"] is flag] for flag in (True, False)
    }
    assert len(scored[True]) == len(scored[False]) > 10
    assert by_fragment(scored[True]) == pytest.approx(by_fragment(scored[False]), abs=1e-5)
    for row in scored[True]:
        assert SCORES.keys() <= {name for name, value in row.items() if value is not None}
        assert 0 <= row["rank_1"] <= row["rank_10"] <= row["rank_100"] <= row["rank_1000"] <= row["n_nll"]
        assert row["fast_detect"] == pytest.approx((row["xent_aligned_sum"] - row["nll_sum"]) / row["var_sum"] ** 0.5)
    for row in scored[False]:
        assert {row[name] for name in PANEL} == {None}


def test_prefixes_have_a_row_each(corpus: Path, tmp_path: Path) -> None:
    prefixes = {"mode": "prefix", "tokens": [4, 8, 16]}
    rows = run_inline(scoring_spec(corpus, fragments=[prefixes]), tmp_path)
    scored = [row for row in rows if row["score"] is not None]
    assert {row["prefix_tokens"] for row in scored} == {4, 8, 16}
    by_fragment(rows)


def test_rows_say_what_scored_them(corpus: Path, tmp_path: Path) -> None:
    row = next(row for row in run_inline(scoring_spec(corpus), tmp_path) if row["score"] is not None)
    assert json.loads(row["pair"]) == PAIR == [row["observer"], row["performer"]]
    assert row["dtype_effective"] in ("float32", "bfloat16")
    assert row["peak_rss_bytes"] > 0
    assert row["score"] == pytest.approx(row["log_ppl"] / row["log_xppl"])


def test_part_names_do_not_depend_on_where_the_file_lies(corpus: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / corpus.name
    elsewhere.write_bytes(corpus.read_bytes())
    names = [[part.name for part in parts(path, 4)] for path in (corpus, elsewhere)]
    assert names[0] == names[1]
    assert len(names[0]) == 4


def test_an_incompatible_pair_is_unsupported_with_the_first_difference(corpus: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    words = Tokenizer(models.WordLevel({"<unk>": 0, "the": 1, "of": 2}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>").save_pretrained(other)
    LlamaForCausalLM(
        LlamaConfig(hidden_size=64, intermediate_size=64, num_hidden_layers=1, num_attention_heads=1, vocab_size=2048)
    ).save_pretrained(other)
    rows = run_inline(scoring_spec(corpus, pair=[[PAIR[0], str(other)], PAIR]), tmp_path / "run")
    unsupported = [row for row in rows if row["status"] == "unsupported"]
    assert by_fragment(unsupported).keys() == by_fragment([row for row in rows if row["status"] == "ok"]).keys()
    assert {row["error_type"] for row in unsupported} == {"IncompatiblePair"}
    assert all(str(other) in row["error_message"] for row in unsupported)
    assert all(row[metric] is None for row in unsupported for metric in COLUMNS["binoculars"].metrics)
    assert any(row["score"] is not None for row in rows), "the other pair is unharmed"


def test_a_shard_whose_workers_die_has_a_row_for_each_fragment_and_prefix(corpus: Path, tmp_path: Path) -> None:
    prefixes = {"mode": "prefix", "tokens": [4, 8]}
    coordinator = Coordinator(
        make_plan(scoring_spec(corpus, fragments=[prefixes]), BENCHMARKS, tmp_path), BENCHMARKS, Policy()
    )
    coordinator.open()
    allocation = Allocation("w", Slot("cpu", 0, 1), "here", "cpu", "a CPU")
    coordinator.join(allocation, {}, "e")
    while isinstance(coordinator.exchange("w", []), Run):
        coordinator.lost("w", "worker_lost", "killed")
        coordinator.join(allocation, {}, "e")
    status = coordinator.close()
    assert status.counts == {"worker_lost": 4}
    rows = ds.dataset(sorted(tmp_path.glob("s/part-*.parquet"))).to_table().to_pylist()
    lost = by_fragment(rows)
    assert set(lost.values()) == {None}
    calm = run_inline(scoring_spec(corpus, fragments=[prefixes]), tmp_path / "calm")
    assert lost.keys() == by_fragment(calm).keys()


def test_no_rows_are_made_up_for_a_shard_that_cannot_be_read_any_more(corpus: Path, tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_bytes(corpus.read_bytes())
    coordinator = Coordinator(make_plan(scoring_spec(path), BENCHMARKS, tmp_path / "run"), BENCHMARKS, Policy())
    coordinator.open()
    path.unlink()
    coordinator.reject(Slot("cpu", 0, 1), "worker_lost", "all workers died")
    status = coordinator.close()
    assert (status.rows, status.done, str(path) in str(status.failure)) == (0, 0, True)


def test_a_slot_that_no_node_offers_costs_a_row_a_shard_and_no_reading(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator = Coordinator(make_plan(scoring_spec(corpus), BENCHMARKS, tmp_path), BENCHMARKS, Policy())
    coordinator.open()
    monkeypatch.setattr("actors.benchmarks.corpus_benchmark.read_rows", lambda _: pytest.fail("nothing is read"))
    coordinator.reject(Slot("cpu", 0, 1), "unavailable", "no such device")
    status = coordinator.close()
    assert (status.rows, status.counts, status.failure) == (4, {"unavailable": 4}, None)


def test_the_summary_counts_rows_without_a_score_and_words_that_no_fragment_took(corpus: Path, tmp_path: Path) -> None:
    rows = run_inline(scoring_spec(corpus), tmp_path)
    summary_counts = BinocularsBenchmark().summary_counts(rows)
    reasons = {name: count for name, count in summary_counts.items() if name.startswith("rows without a score")}
    assert reasons == {f"rows without a score, {reason}": 1 for reason in ("bad_row", "not_text")} | {
        "rows without a score, empty_text": 2
    }
    words = sum(
        len(json.loads(line)[author].split())
        for line in cache.docs_path().read_text(encoding="utf-8").splitlines()[:12]
        for author in ("human", "synthetic")
    )
    left_over = {name: count for name, count in summary_counts.items() if name.startswith("words left over")}
    assert sum(left_over.values()) == words - sum(row["length_words"] or 0 for row in rows)
    longer = {"human": 0, "synthetic": 0}
    for line in cache.docs_path().read_text(encoding="utf-8").splitlines()[:12]:
        lengths = {author: len(json.loads(line)[author].split()) for author in longer}
        longer = {author: longer[author] + lengths[author] - min(lengths.values()) for author in longer}
    ended = {f"words left over after the record's shortest text ended, {author}": longer[author] for author in longer}
    assert {name: left_over.get(name, 0) for name in ended} == ended
    assert left_over.keys() - ended.keys() == {"words left over, too few for the next fragment"}


MISTAKES = {
    "not a pair": ('pair = [["a"]]', ["factors.pair[0]", "2 entries or more, not 1"]),
    "unknown mode": ('fragments = [{ mode = "halves" }]', ["factors.fragments[0]", "halves", "random"]),
    "upside down": (
        'fragments = [{ mode = "random", min_words = 9, max_words = 3 }]',
        ["factors.fragments[0]", "min_words 9 is above max_words 3: swap them"],
    ),
    "half a mapping": (
        'corpus = [{ path = "x.jsonl", human = "h" }]',
        ["factors.corpus[0]", "both of human and synthetic"],
    ),
    "unknown corpus key": ('corpus = [{ path = "x.jsonl", humen = "h" }]', ["factors.corpus[0]", "humen"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_scoring_spec_is_told(mistake: str, tmp_path: Path) -> None:
    line, expected = MISTAKES[mistake]
    pair = "" if line.startswith("pair") else 'pair = [["a", "b"]]\n'
    path = tmp_path / "x.toml"
    path.write_text(f'name = "x"\n[[sweep]]\nname = "s"\nbenchmark = "binoculars"\n[sweep.factors]\n{pair}{line}\n')
    with pytest.raises(UserError) as caught:
        read_spec(str(path), [], BENCHMARKS)
    for part in expected:
        assert part in str(caught.value)
    assert "pydantic" not in str(caught.value)


def test_a_corpus_that_cannot_be_read_stops_before_the_start(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file there"):
        plan_of(scoring_spec(tmp_path / "nothing.jsonl"), BENCHMARKS)


def test_split_on_one_gpu_is_impossible(corpus: Path) -> None:
    with pytest.raises(UserError, match="wants two GPUs, as in 'gpu x2'"):
        plan_of(scoring_spec(corpus, placement=["split"], device=["gpu"]), BENCHMARKS).check()


class Shipping:
    """A coordinator client whose coordinator sees the file that the worker cannot see."""

    def __init__(self, lease: Lease, content: Any) -> None:
        self.answers = iter([Run((lease,), 0)])
        self.content = content
        self.outcomes: list[Outcome] = []

    def join(self, allocation: Allocation, environment: dict[str, Any], environment_id: str) -> None:
        pass

    def exchange(self, worker_id: str, outcomes: Sequence[Outcome]) -> Answer:
        self.outcomes += outcomes
        return next(self.answers, Stop())

    def deliver(self, worker_id: str, outcomes: Sequence[Outcome]) -> None:
        self.outcomes += outcomes

    def fetch(self, task: Task) -> TaskShard:
        assert task.shard is not None
        return BinocularsBenchmark().fetch(TaskShard(task.shard.name, self.content))


def test_a_shard_that_the_worker_cannot_see_is_shipped(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(line + "\n" for line in cache.docs_path().read_text().splitlines()[:3]))
    task = plan_of(scoring_spec(path), BENCHMARKS).task(0)
    assert task.shard is not None
    away = tmp_path / "away.jsonl"
    path.rename(away)
    visible = next(iter(Corpus.open(CorpusSettings(**columns(away))).shards(4)))
    coordinator = Shipping(Lease(task, 1), visible)
    Worker(Allocation("w", Slot("cpu", 0, 1), "here", "cpu", "a CPU"), BENCHMARKS, ({}, "e")).work(coordinator)
    rows = coordinator.outcomes[0].rows
    assert {row["status"] for row in rows} == {"ok"}, rows[-1]["error_message"]
    assert len({row["record_id"] for row in rows}) == 3
    handed_on = TaskShard(task.shard.name, visible, frozenset({"a piece"}))
    assert BinocularsBenchmark().fetch(handed_on).remaining == {"a piece"}
    with pytest.raises(InputElsewhere):
        list(shard_fragments(task.shard, "builtin://docs", RANDOM))


@pytest.fixture
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(name: str, split: str) -> None:
        raise ConnectionError(f"Couldn't reach {name}")

    monkeypatch.setattr("datasets.load_dataset", load_dataset)


@pytest.mark.usefixtures("_no_hub")
@pytest.mark.parametrize("driver_reaches_it", [True, False])
def test_a_dataset_that_the_worker_does_not_reach_is_shipped_or_unavailable(
    corpus: Path, driver_reaches_it: bool
) -> None:
    planned = plan_of(scoring_spec(corpus), BENCHMARKS).task(0)
    assert planned.shard is not None
    away = replace(planned.shard.content, file="hf://away:train")
    lease = Lease(replace(planned, shard=TaskShard("away:0+4", away)), 1)
    coordinator = Shipping(lease, planned.shard.content if driver_reaches_it else away)
    Worker(Allocation("w", Slot("cpu", 0, 1), "here", "cpu", "a CPU"), BENCHMARKS, ({}, "e")).work(coordinator)
    outcome = coordinator.outcomes[0]
    assert outcome.changed is None
    assert {row["status"] for row in outcome.rows} == {"ok" if driver_reaches_it else "unavailable"}
    lost = failed_rows(
        lease,
        COLUMNS["binoculars"],
        BinocularsBenchmark().row_identities(lease.task),
        {},
        "worker_lost",
        None,
        "killed",
    )
    assert [row["status"] for row in lost] == ["worker_lost"], "nobody knows its pieces, and nothing has changed"


DEVICES_BY_MEMORY = ("gtx-1070", "tesla-k80", "cpu")


@pytest.mark.parametrize(
    ("slot", "device_class", "expected"),
    [
        (Slot("gpu", 1, 4), "gtx-1070", Slot("tesla-k80", 1, 4)),
        (Slot("gpu", 1, 4), "tesla-k80", Slot("cpu", 0, 4)),
        (Slot("gpu", 2, 4), "tesla-k80+tesla-k80", Slot("cpu", 0, 4)),
        (Slot("cpu", 0, 4), "cpu", None),
    ],
)
def test_the_ladder(slot: Slot, device_class: str, expected: Slot | None) -> None:
    assert next_slot(slot, device_class, DEVICES_BY_MEMORY) == expected


class Cramped(BinocularsBenchmark):
    """A benchmark for which fragments of a human fit on the last device only."""

    def load(self, factors: Any, devices: tuple[str, ...]) -> Any:
        return devices

    def unload(self, held: Any) -> None:
        pass

    def rows(self, held: Any, task: Task, factors: Any) -> Any:
        assert task.shard is not None
        fragments = list(shard_fragments(task.shard, factors.corpus, factors.fragments))
        does_not_fit = task.slot.device != "cpu" or factors.max_tokens == 1
        for fragment in sorted(fragments, key=lambda fragment: fragment.author == "human"):
            row = {
                "record_id": fragment.record_id,
                "fragment_index": fragment.fragment_index,
                "author": fragment.author,
            }
            if fragment.author == "human" and does_not_fit:
                yield row | {"status": "oom_gpu", "null_reason": "out_of_memory", OOM_ITEM: fragment_key(fragment)}
            else:
                yield row | {"score": float(task.slot.gpus)}


def score_cramped(path: Path, directory: Path, max_tokens: int) -> tuple[list[dict[str, Any]], list[Slot]]:
    """Run a worker on each slot in turn, as a supervisor would."""
    registry: dict[str, Any] = {"binoculars": Cramped()}
    spec = scoring_spec(path, device=["gpu"], max_tokens=[max_tokens])
    coordinator = Coordinator(make_plan(spec, registry, directory), registry, Policy(), DEVICES_BY_MEMORY)
    coordinator.open()
    allocations: list[Slot] = []
    while demand := coordinator.tick().demand:
        slot = next(iter(demand))
        allocations.append(slot)
        device_class = {"gpu": "gtx-1070"}.get(slot.device, slot.device)
        Worker(Allocation(f"w{len(allocations)}", slot, "here", device_class, "a device"), registry, ({}, "e")).work(
            coordinator
        )
        coordinator.leave(f"w{len(allocations)}")
    assert coordinator.close().left == 0
    return ds.dataset(sorted(directory.glob("s/part-*.parquet"))).to_table().to_pylist(), allocations


def test_what_does_not_fit_is_escalated_and_has_one_row_in_the_end(corpus: Path, tmp_path: Path) -> None:
    rows, allocations = score_cramped(corpus, tmp_path, max_tokens=512)
    assert allocations == [Slot("gpu", 1, 1), Slot("tesla-k80", 1, 1), Slot("cpu", 0, 1)]
    by_fragment(rows)
    where = {row["author"]: row["score"] for row in rows if row["author"]}
    assert where == {"human": 0.0, "synthetic": 1.0}, "only the rest was scored again"
    assert {row["status"] for row in rows} == {"ok"}


def test_what_fits_nowhere_is_a_null_row_with_its_reason(corpus: Path, tmp_path: Path) -> None:
    rows, _ = score_cramped(corpus, tmp_path, max_tokens=1)
    by_fragment(rows)
    human = [row for row in rows if row["author"] == "human"]
    assert human
    assert {(row["status"], row["null_reason"], row["score"]) for row in human} == {("oom_gpu", "out_of_memory", None)}
    assert {row["status"] for row in rows if row["author"] != "human"} == {"ok"}


def test_out_of_memory_in_the_scorer_is_such_a_row(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = plan_of(scoring_spec(corpus), BENCHMARKS).task(0)
    benchmark, factors = BENCHMARKS["binoculars"], BinocularsFactors(**dict(task.factors))  # type: ignore[arg-type]
    held = benchmark.load(factors, ("cpu",))

    def full(texts: Any) -> Any:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(held.pair, "token_sums", full)
    rows = list(benchmark.rows(held, task, factors))
    without_memory = [row for row in rows if OOM_ITEM in row]
    assert without_memory
    assert {(row["status"], row["null_reason"]) for row in without_memory} == {("oom_host", "out_of_memory")}
    assert rows[-len(without_memory) :] == without_memory, "the task's last row says how it ended"
