"""A rehearsal measures the same sweeps on what every machine has, and says what it changed."""

from pathlib import Path
from typing import Any

import pytest

from actors.benchmarks import BENCHMARKS
from sweeps.errors import UserError
from sweeps.plan.rehearsal import changes, rehearsed
from sweeps.plan.spec import Defaults, Spec, Sweep
from sweeps.plan.spec_file import builtin_names
from sweeps.plan.spec_reader import read_spec, with_defaults
from tests.fakes import plan_of

BASE, INSTRUCT = "builtin://tiny-base", "builtin://tiny-instruct"


def of(benchmark: str = "generation", **keys: Any) -> Spec:
    sweep = {"name": "s", "benchmark": benchmark} | keys
    return Spec(name="mine", sweep=[Sweep.model_validate(sweep)])


@pytest.mark.parametrize("name", builtin_names())
def test_every_built_in_spec_can_be_rehearsed(name: str) -> None:
    spec = rehearsed(read_spec(name, [], BENCHMARKS), BENCHMARKS, cores=2)
    assert spec.name == f"{name}-rehearsal"
    plan = plan_of(with_defaults(spec, Defaults(device="gpu", cpu_cores=2), BENCHMARKS), BENCHMARKS)
    plan.check()
    for _, task in plan.tasks():
        assert task.slot.gpus == 0
        assert task.slot.cores <= 2
        models = task.factors.get("pair") or [task.factors["model"]]
        assert set(models) <= {BASE, INSTRUCT}  # type: ignore[arg-type]
        corpus = {"path": "builtin://docs", "first_rows": 64} if name == "fidelity" else "builtin://docs"
        assert task.factors.get("corpus", corpus) == corpus


def test_levels_are_replaced_by_as_many_stand_ins_and_numbers_are_cut() -> None:
    factors = {
        "model": ["a/b", "c/d", "e/f"],
        "device": ["k80", "cpu"],
        "cpu_cores": [16, 4, 2, 1],
        "max_new_tokens": [256, 16, 64, 128],
        "quantization": ["none", "8-bit"],
    }
    spec = of(factors=factors, iterations=50, warmup=4, rounds=3)
    (sweep,) = rehearsed(spec, BENCHMARKS, cores=4).sweep
    assert sweep.factors == {
        "model": [BASE, INSTRUCT],
        "device": ["cpu"],
        "cpu_cores": [1, 4],
        "max_new_tokens": [16, 64, 128],
        "quantization": ["none", "8-bit"],
    }
    assert (sweep.iterations, sweep.warmup, sweep.rounds) == (3, 1, 1)
    (one,) = rehearsed(of(factors={"model": ["a/b"], "cpu_cores": [16]}), BENCHMARKS, cores=4).sweep
    assert one.factors == {"model": [BASE], "cpu_cores": [4], "device": ["cpu"]}


def test_rules_about_replaced_levels_do_not_apply() -> None:
    kept = {"quantization": "4-bit", "max_new_tokens": 16}
    spec = of(factors={"model": ["a/b"]}, exclude=[{"device": "cpu", "quantization": "4-bit"}, kept])
    assert rehearsed(spec, BENCHMARKS, cores=1).sweep[0].exclude == [kept]


def test_a_cell_is_kept_where_the_rules_exclude_those_of_the_smallest_levels() -> None:
    factors = {"model": ["a/b"], "max_new_tokens": [512, 8, 16, 32, 64], "cpu_cores": [1, 2, 3, 4]}
    small = {"max_new_tokens": [8, 16, 32]}
    (sweep,) = rehearsed(of(factors=factors, exclude=[small]), BENCHMARKS, cores=4).sweep
    assert sweep.factors["max_new_tokens"] == [8, 16, 64]
    assert sweep.factors["cpu_cores"] == [1, 4]
    (sweep,) = rehearsed(of(factors=factors, exclude=[small, {"cpu_cores": [1, 3, 4]}]), BENCHMARKS, cores=4).sweep
    assert (sweep.factors["max_new_tokens"], sweep.factors["cpu_cores"]) == ([8, 16, 64], [1, 2])
    (sweep,) = rehearsed(of(factors=factors, exclude=[small | {"quantization": "none"}]), BENCHMARKS, cores=4).sweep
    assert sweep.factors["max_new_tokens"] == [8, 16, 64], "also by a factor that has its default"
    by_default = {"max_new_tokens": [8, 16, 32], "cpu_cores": 4}
    without = {name: levels for name, levels in factors.items() if name != "cpu_cores"}
    (sweep,) = rehearsed(of(factors=without, exclude=[by_default]), BENCHMARKS, cores=16).sweep
    assert sweep.factors["max_new_tokens"] == [8, 16, 64]
    some_left = {"max_new_tokens": [8, 32]}
    (sweep,) = rehearsed(of(factors=factors, exclude=[some_left]), BENCHMARKS, cores=4).sweep
    assert sweep.factors["max_new_tokens"] == [8, 16, 32]


def test_where_no_cell_can_be_kept_the_message_says_why() -> None:
    spec = of(factors={"model": ["a/b"], "cpu_cores": [1, 2, 4, 8]}, exclude=[{"cpu_cores": [1, 2]}])
    with pytest.raises(
        UserError, match=r"sweep 's': nothing of it can be rehearsed here.*up to 2.*--set s.exclude=\[\]"
    ):
        rehearsed(spec, BENCHMARKS, cores=2)
    assert rehearsed(spec, BENCHMARKS, cores=4).sweep[0].factors["cpu_cores"] == [1, 4]


def test_what_is_not_as_the_spec_says_is_told() -> None:
    factors = {"model": ["a/b", "c/d"], "prompt_words": [8]}
    spec = of(factors=factors, exclude=[{"model": "a/b"}], iterations=50, warmup=0, rounds=2)
    assert changes(spec, rehearsed(spec, BENCHMARKS, cores=1)) == [
        f's: model is ["{BASE}", "{INSTRUCT}"] in place of 2 levels',
        's: device is ["cpu"] in place of default',
        "s: iterations is 3 in place of 50",
        "s: rounds is 1 in place of 2",
        "s: 1 of 1 rules of [[sweep.exclude]] do not apply",
    ]


def test_a_long_name_stays_a_name() -> None:
    spec = Spec(name="n" * 64, sweep=of(factors={"model": ["a/b"]}).sweep)
    assert rehearsed(spec, BENCHMARKS, cores=1).name == "n" * 54 + "-rehearsal"


def test_a_spec_includes_others(tmp_path: Path) -> None:
    own = '[[sweep]]\nname = "own"\nbenchmark = "noop"\n[sweep.factors]\nmodel_ = [1]\n'
    other = own.replace('"own"', '"other"').replace("model_", "index")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "other.toml").write_text(f'name = "o"\n{other}')
    whole = tmp_path / "whole.toml"
    whole.write_text(f'name = "w"\ninclude = ["encoding", "deep/other.toml"]\n{own.replace("model_", "index")}')
    spec = read_spec(str(whole), ["encoding.iterations=7"], BENCHMARKS)
    assert [sweep.name for sweep in spec.sweep] == ["encoding", "other", "own"]
    assert spec.sweep[0].iterations == 7
    assert "include" not in spec.model_dump()


@pytest.mark.parametrize(
    ("include", "message"),
    [
        ('"encoding"', "key 'include': seen 'encoding'; a list of names"),
        ('["encodign"]', "spec 'encodign' is not built in .did you mean 'encoding'"),
        ('["absent.toml"]', "absent.toml: no such file"),
        ('["study"]', "study .built in. includes specs itself; name those here instead"),
        ('["encoding", "encoding"]', "sweep names"),
    ],
)
def test_a_mistake_in_include_is_told(include: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "whole.toml"
    path.write_text(f'name = "w"\ninclude = {include}\n')
    with pytest.raises(UserError, match=message):
        read_spec(str(path), [], BENCHMARKS)


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        ('[[sweeps]]\nname = "x"\n', r"inner.toml, key 'sweeps': unknown in a spec that .*whole.toml includes"),
        ("", r"inner.toml, key 'sweep': .*whole.toml includes it for its sweeps; at least one"),
        ("sweep = 3", r"inner.toml, key 'sweep': "),
        ('[[sweep]]\nname = "x"\n', r"inner.toml: sweep 'x': key 'benchmark' is missing"),
        ('[[sweep]]\nname = "x"\nbenchmark = "nop"\n', r"inner.toml: sweep 'x', benchmark: 'nop' is unknown"),
    ],
)
def test_a_mistake_in_an_included_spec_names_its_file(inner: str, message: str, tmp_path: Path) -> None:
    own = '[[sweep]]\nname = "own"\nbenchmark = "noop"\n'
    (tmp_path / "inner.toml").write_text(f'name = "i"\n{inner}')
    (tmp_path / "whole.toml").write_text(f'name = "w"\ninclude = ["encoding", "inner.toml"]\n{own}')
    with pytest.raises(UserError, match=message):
        read_spec(str(tmp_path / "whole.toml"), [], BENCHMARKS)


def test_the_study_has_every_published_sweep() -> None:
    published = set(builtin_names()) - {"quickstart", "study", "fidelity"}
    assert {sweep.name for sweep in read_spec("study", [], BENCHMARKS).sweep} == published
