"""Every mistake that a spec can hold is one message with file, key, what was seen and what is allowed."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from actors.benchmarks import BENCHMARKS
from actors.benchmarks.corpora import absolute_corpus
from actors.benchmarks.noop import Noop
from sweeps.errors import UserError
from sweeps.plan.spec import Defaults
from sweeps.plan.spec_file import builtin_names
from sweeps.plan.spec_reader import read_spec, with_defaults
from sweeps.schema import COLUMNS, COMMON
from tests.fakes import plan_of

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
    "unknown top key": ('name = "good"', 'name = "good"\ntitle = "x"', ["title", "allowed are name, include, sweep"]),
    "unknown benchmark": (
        'benchmark = "generation"',
        'benchmark = "genration"',
        ["genration", "choose one of binoculars, ", "generation", "noop"],
    ),
    "unknown factor": ("cpu_cores = [1, 2]", "cpu_core = [1, 2]", ["cpu_core", "did you mean 'cpu_cores'"]),
    "wrong level type": ("[4, 8]", '[4, "eight"]', ["factors.max_new_tokens[1]", "'eight'", "a whole number"]),
    "level out of range": ("[4, 8]", "[4, 0]", ["max_new_tokens[1]", "0", "1 or more"]),
    "not a list": ("cpu_cores = [1, 2]", "cpu_cores = 2", ["cpu_cores", "seen 2", "list"]),
    "empty levels": ("[4, 8]", "[]", ["max_new_tokens", "empty"]),
    "repeated level": ("[4, 8]", "[4, 4]", ["max_new_tokens", "4 stands twice"]),
    "level not a choice": (
        "cpu_cores = [1, 2]",
        'cpu_cores = [1, 2]\nquantization = ["3-bit"]',
        ["quantization[0]", "3-bit", "choose one of 'none', '4-bit', '8-bit'"],
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
    "zero iterations": ("iterations = 2", "iterations = 0", ["iterations", "0", "1 or more"]),
    "wrong type": ("iterations = 2", 'iterations = "2"', ["iterations", "'2'", "a whole number"]),
    "not TOML": ("iterations = 2", "iterations = = 2", ["not TOML", "line 6"]),
    "beyond its column": ("[4, 8]", "[4, 3_000_000_000]", ["max_new_tokens[1]", "3000000000", "up to 2,147,483,647"]),
    "far beyond its column": ("cpu_cores = [1, 2]", f"cpu_cores = [{2**77}]", ["cpu_cores[0]", "up to 2,147,483,647"]),
    "too many rounds": ("iterations = 2", f"rounds = {2**77}", ["rounds", "up to 1,000,000"]),
    "too large a seed": ("iterations = 2", f"seed = {2**64}", ["seed", "up to 9,223,372,036,854,775,807"]),
    "figure of no metric": (
        "[[sweep.exclude]]",
        '[sweep.figure]\ny = "tokens_per_s"\nx = "max_new_tokens"\n[[sweep.exclude]]',
        ["figure.y", "'tokens_per_s'", "did you mean 'decode_tokens_per_s'"],
    ),
    "figure of no column": (
        "[[sweep.exclude]]",
        '[sweep.figure]\ny = "ttft_s"\nx = "max_tokens"\n[[sweep.exclude]]',
        ["figure.x", "'max_tokens'", "did you mean 'max_new_tokens'"],
    ),
    "figure of text": (
        "[[sweep.exclude]]",
        '[sweep.figure]\ny = "dtype_effective"\nx = "max_new_tokens"\n[[sweep.exclude]]',
        ["figure.y", "no metric in numbers"],
    ),
    "not a name of a model": ('["builtin://tiny-base"]', '["\\u0000"]', ["factors.model[0]", "null byte"]),
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


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"[4, 8]": '[4, "eight", 0]', "cpu_cores = [1, 2]": "cpu_core = [1, 2]", "max_new_tokens = [8]": "no = 1"},
            ["factors.max_new_tokens[1]", "factors.max_new_tokens[2]", "factors.cpu_core:", "exclude[0].no:"],
        ),
        ({"iterations = 2": 'iterations = "2"\nwarmups = 1'}, ["key 'iterations'", "key 'warmups'"]),
        ({'model = ["builtin://tiny-base"]': "model = []", "[4, 8]": "[4, 4]"}, ["factors.model", "4 stands twice"]),
    ],
)
def test_all_mistakes_of_a_kind_are_told_at_once(changes: dict[str, str], expected: list[str], tmp_path: Path) -> None:
    text = GOOD
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path = write(tmp_path, text)
    with pytest.raises(UserError) as caught:
        read_spec(path, [], BENCHMARKS)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(path) for line in lines), lines
    for part in expected:
        assert len([line for line in lines if part in line]) == 1, lines


def test_not_more_mistakes_are_told_than_anybody_reads(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("[4, 8]", str([-level for level in range(50)])))
    with pytest.raises(UserError, match=r"and 31 more mistakes$") as caught:
        read_spec(path, [], BENCHMARKS)
    assert len(str(caught.value).splitlines()) == 21
    with pytest.raises(UserError, match=r"^--set 'a': write <sweep>.*\n--set 'x.y=1': .* has no sweep 'x'"):
        read_spec(path, ["a", "x.y=1"], BENCHMARKS)


@pytest.mark.parametrize("key", ["iterations = 3", "warmup = 1", "rounds = 2"])
def test_repeats_of_what_is_scored_once_are_refused(key: str, tmp_path: Path) -> None:
    text = f'name = "s"\n[[sweep]]\nname = "s"\nbenchmark = "binoculars"\n{key}\n[sweep.factors]\n'
    path = write(tmp_path, text + 'pair = [["builtin://tiny-base", "builtin://tiny-instruct"]]\n')
    with pytest.raises(UserError, match=f"key '{key.split()[0]}'.*scores each text once"):
        read_spec(path, [], BENCHMARKS)


def test_a_spec_from_an_editor_on_windows_is_read(tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert read_spec(str(path), [], BENCHMARKS).name == "good"


def test_paths_are_relative_to_the_spec_and_those_of_set_to_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("specs", "caller"):
        (tmp_path / place / "m").mkdir(parents=True)
    (tmp_path / "specs" / "org" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "caller")
    named = ["./m", "../other", "org/name", "org/hub", "m#a.gguf", "builtin://tiny-base"]
    path = write(tmp_path / "specs", GOOD.replace('["builtin://tiny-base"]', json.dumps(named)))
    specs = tmp_path / "specs"
    assert read_spec(path, [], BENCHMARKS).sweep[0].factors["model"] == [
        f"{specs}/m",
        f"{tmp_path}/other",
        f"{specs}/org/name",
        "org/hub",
        f"{specs}/m#a.gguf",
        "builtin://tiny-base",
    ]
    override = 'generation.factors.model=["./m", "m#a.gguf", "org/name"]'
    assert read_spec(path, [override], BENCHMARKS).sweep[0].factors["model"] == [
        f"{tmp_path}/caller/m",
        f"{tmp_path}/caller/m#a.gguf",
        "org/name",
    ]


def test_an_override_leaves_the_names_of_the_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "caller" / "gpt2").mkdir(parents=True)
    (tmp_path / "specs").mkdir()
    monkeypatch.chdir(tmp_path / "caller")
    path = write(tmp_path / "specs", GOOD.replace('"builtin://tiny-base"', '"gpt2"'))
    assert read_spec(path, ["generation.iterations=2"], BENCHMARKS).sweep[0].factors["model"] == ["gpt2"]
    whole = 'generation.factors={model=["gpt2", "./m"], cpu_cores=[1], max_new_tokens=[8]}'
    assert read_spec(path, [whole], BENCHMARKS).sweep[0].factors["model"] == [
        f"{tmp_path}/caller/gpt2",
        f"{tmp_path}/caller/m",
    ]


def test_a_whole_number_is_the_level_that_its_column_holds(tmp_path: Path) -> None:
    text = 'name = "n"\n[[sweep]]\nname = "n"\nbenchmark = "noop"\n[sweep.factors]\nwait_s = [0, 1]\n'
    assert list(map(repr, read_spec(write(tmp_path, text), [], BENCHMARKS).sweep[0].factors["wait_s"])) == [
        "0.0",
        "1.0",
    ]
    with pytest.raises(UserError, match=r"0\.0 stands twice"):
        read_spec(write(tmp_path, text.replace("[0, 1]", "[0, 0.0]")), [], BENCHMARKS)


def test_a_rule_means_the_paths_that_the_levels_mean(tmp_path: Path) -> None:
    text = GOOD.replace('["builtin://tiny-base"]', '["./a", "./b"]').replace("cpu_cores = 1\n", 'model = "./a"\n')
    sweep = read_spec(write(tmp_path, text), [], BENCHMARKS).sweep[0]
    assert sweep.exclude == [{"model": f"{tmp_path}/a", "max_new_tokens": [8]}]


def test_paths_of_another_benchmark_change_no_levels_of_this_one(tmp_path: Path) -> None:
    """An installed package may have factors of the same names."""

    class Other(Noop):
        paths: ClassVar[Mapping[str, Callable[[Any, Path], Any]]] = {"index": lambda _level, base: str(base)}

    registry = {**BENCHMARKS, "other": Other()}
    text = 'name = "s"\n[[sweep]]\nname = "a"\nbenchmark = "noop"\n[sweep.factors]\nindex = [0, 1]\n'
    assert read_spec(write(tmp_path, text), [], registry).sweep[0].factors["index"] == [0, 1]
    assert read_spec(write(tmp_path, text), ["a.factors.index=[2]"], registry).sweep[0].factors["index"] == [2]


@pytest.mark.parametrize(
    ("level", "absolute"),
    [
        ("t.jsonl", "{}/t.jsonl"),
        ({"path": "../*.csv", "text": "body"}, {"path": "{}/../*.csv", "text": "body"}),
        ("/data/t.jsonl", "/data/t.jsonl"),
        ("~/t.jsonl", str(Path.home() / "t.jsonl")),
        ("builtin://docs", "builtin://docs"),
        ("hf://someone/texts:test", "hf://someone/texts:test"),
        (7, 7),
        ({"path": 7}, {"path": 7}),
    ],
)
def test_corpora_are_relative_to_the_spec(level: Any, absolute: Any, tmp_path: Path) -> None:
    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(entry) for key, entry in value.items()}
        return os.path.normpath(value.format(tmp_path)) if str(value).startswith("{}") else value

    assert absolute_corpus(level, tmp_path) == filled(absolute)


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
        plan_of(spec, BENCHMARKS).check()


@pytest.mark.parametrize("name", builtin_names())
def test_builtin_specs_are_valid(name: str) -> None:
    spec = with_defaults(read_spec(name, [], BENCHMARKS), DEFAULTS, BENCHMARKS)
    plan = plan_of(spec, BENCHMARKS)
    plan.check()
    assert spec.name == name
    assert len(plan) > 0


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_factor_of_a_benchmark_has_a_column(name: str) -> None:
    columns = COMMON.keys() | COLUMNS[name].factors.keys()
    assert BENCHMARKS[name].factors.model_fields.keys() <= columns
    assert not COLUMNS[name].metrics.keys() & columns, "a column is a factor or a metric, not both"
