"""Every mistake that a spec can hold is one message with file, key, what was seen and what is allowed."""

import os
from pathlib import Path

import pytest

from actors.benchmarks import BENCHMARKS
from sweeps.errors import UserError
from sweeps.plan import Plan
from sweeps.schema import COMMON, FACTORS, METRICS
from sweeps.spec import Defaults, builtin_names, read_spec, with_defaults

GOOD = """
name = "good"
[[sweep]]
name = "generation"
benchmark = "generation"
iterations = 2
[sweep.factors]
model = ["builtin://tiny-base"]
cpu_cores = [1, 2]
max_new_tokens = [4, 8]
[[sweep.exclude]]
cpu_cores = 1
max_new_tokens = [8]
"""
DEFAULTS = Defaults(device="cpu", cpu_cores=2)


def write(directory: Path, text: str) -> str:
    path = directory / "spec.toml"
    path.write_text(text)
    return str(path)


def test_a_good_spec_is_read_and_completed(tmp_path: Path) -> None:
    spec = with_defaults(read_spec(write(tmp_path, GOOD), [], BENCHMARKS), DEFAULTS, BENCHMARKS)
    assert spec.sweep[0].factors == {
        "device": ["cpu"],
        "cpu_cores": [1, 2],
        "model": ["builtin://tiny-base"],
        "device_map": ["single"],
        "max_memory": [{}],
        "quantization": ["none"],
        "dtype": ["auto"],
        "max_new_tokens": [4, 8],
        "prompt_words": [32],
    }


def test_an_override_may_take_away_what_a_rule_is_about(tmp_path: Path) -> None:
    spec = read_spec(write(tmp_path, GOOD), ["generation.factors.cpu_cores=[2, 4]"], BENCHMARKS)
    assert spec.sweep[0].factors["cpu_cores"] == [2, 4]
    assert spec.sweep[0].exclude, "the rule stays, for the levels that it still meets"


MISTAKES = {
    "unknown key": ("iterations = 2", "iteration = 2", ["'generation'", "iteration", "did you mean 'iterations'"]),
    "unknown top key": ('name = "good"', 'name = "good"\ntitle = "x"', ["title", "allowed are name, sweep"]),
    "unknown benchmark": (
        'benchmark = "generation"',
        'benchmark = "genration"',
        ["genration", "choose one of binoculars, ", "generation", "noop"],
    ),
    "unknown factor": ("cpu_cores = [1, 2]", "cpu_core = [1, 2]", ["cpu_core", "did you mean 'cpu_cores'"]),
    "wrong level type": ("[4, 8]", '[4, "eight"]', ["factors.max_new_tokens[1]", "'eight'", "integer"]),
    "level out of range": ("[4, 8]", "[4, 0]", ["max_new_tokens[1]", "0", "greater than or equal to 1"]),
    "not a list": ("cpu_cores = [1, 2]", "cpu_cores = 2", ["cpu_cores", "seen 2", "list"]),
    "empty levels": ("[4, 8]", "[]", ["max_new_tokens", "empty"]),
    "repeated level": ("[4, 8]", "[4, 4]", ["max_new_tokens", "4 stands twice"]),
    "level not a choice": (
        "cpu_cores = [1, 2]",
        'cpu_cores = [1, 2]\nquantization = ["3-bit"]',
        ["quantization[0]", "3-bit", "'none', '4-bit' or '8-bit'"],
    ),
    "no such device form": ("cpu_cores = [1, 2]", 'cpu_cores = [1, 2]\ndevice = ["cpu x2"]', ["cpu x2", "gpu x3"]),
    "exclude on unknown factor": ("cpu_cores = 1\n", "core = 1\n", ["exclude[0].core", "no such factor"]),
    "exclude on no level": ("cpu_cores = 1\n", "cpu_cores = 7\n", ["exclude[0].cpu_cores", "7", "1, 2"]),
    "empty exclude": ("cpu_cores = 1\nmax_new_tokens = [8]", "", ["exclude[0]", "empty rule"]),
    "missing factor": ('model = ["builtin://tiny-base"]\n', "", ["generation", "needs factors.model"]),
    "name with a path": ('name = "good"', 'name = "../good"', ["name", "'../good'", "no path"]),
    "reserved sweep name": ('name = "generation"', 'name = "report"', ["'report'"]),
    "missing name": ('name = "good"\n', "", ["'name' is missing"]),
    "no sweep": (GOOD[GOOD.index("[[sweep]]") :], "", ["'sweep' is missing"]),
    "zero iterations": ("iterations = 2", "iterations = 0", ["iterations", "0", "greater than or equal to 1"]),
    "wrong type": ("iterations = 2", 'iterations = "2"', ["iterations", "'2'", "integer"]),
    "not TOML": ("iterations = 2", "iterations = = 2", ["not TOML", "line 6"]),
    "sweep not a table": (GOOD[GOOD.index("[[sweep]]") :], 'sweep = ["x"]', ["sweep", "'x'"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told(mistake: str, tmp_path: Path) -> None:
    old, new, expected = MISTAKES[mistake]
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(UserError) as caught:
        read_spec(path, [], BENCHMARKS)
    message = str(caught.value)
    assert message.startswith(path), message
    for part in expected:
        assert part in message, message
    assert "pydantic" not in message


def test_a_duplicate_sweep_is_told(tmp_path: Path) -> None:
    twice = GOOD + GOOD[GOOD.index("[[sweep]]") :]
    with pytest.raises(UserError, match="'generation' stands twice"):
        read_spec(write(tmp_path, twice), [], BENCHMARKS)


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_spec(str(tmp_path / "none.toml"), [], BENCHMARKS)
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_spec(str(tmp_path) + "/", [], BENCHMARKS)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not UTF-8"):
        read_spec(str(tmp_path / "binary.toml"), [], BENCHMARKS)
    with pytest.raises(UserError, match="did you mean 'quickstart'"):
        read_spec("quikstart", [], BENCHMARKS)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_told(tmp_path: Path) -> None:
    path = Path(write(tmp_path, GOOD))
    path.chmod(0)
    with pytest.raises(UserError, match="Permission denied"):
        read_spec(str(path), [], BENCHMARKS)


def test_set_overrides_in_order(tmp_path: Path) -> None:
    overrides = ["generation.factors.max_new_tokens=[8, 2]", "generation.iterations=7", "generation.iterations=9"]
    sweep = read_spec(write(tmp_path, GOOD), overrides, BENCHMARKS).sweep[0]
    assert (sweep.factors["max_new_tokens"], sweep.iterations) == ([8, 2], 9)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("generation.iterations", "write <sweep>.<key path>=<TOML value>"),
        ("iterations=3", "write <sweep>.<key path>=<TOML value>"),
        ("logits.iterations=3", "has no sweep 'logits'; it has generation"),
        ("generation.factors.model=[tiny]", "strings need quotes"),
        ("generation.iterations.x=3", "'iterations' is not a table"),
        ("generation.factors.model=['a']\nx=1", "is not a TOML value"),
    ],
)
def test_a_wrong_override_is_told(override: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_spec(write(tmp_path, GOOD), [override], BENCHMARKS)
    assert expected in str(caught.value)


def test_an_impossible_cell_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("cpu_cores = [1, 2]", 'cpu_cores = [1, 2]\ndevice_map = ["auto"]'))
    spec = with_defaults(read_spec(path, [], BENCHMARKS), DEFAULTS, BENCHMARKS)
    with pytest.raises(UserError, match=r"impossible: device_map 'auto'.*\[\[sweep.exclude\]\]"):
        Plan(spec, BENCHMARKS).check()


@pytest.mark.parametrize("name", builtin_names())
def test_builtin_specs_are_valid(name: str) -> None:
    spec = with_defaults(read_spec(name, [], BENCHMARKS), DEFAULTS, BENCHMARKS)
    plan = Plan(spec, BENCHMARKS)
    plan.check()
    assert spec.name == name
    assert len(plan) > 0


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_factor_of_a_benchmark_has_a_column(name: str) -> None:
    columns = COMMON.keys() | FACTORS[name].keys()
    assert BENCHMARKS[name].factors.model_fields.keys() <= columns
    assert not METRICS[name].keys() & columns, "a column is a factor or a metric, not both"
