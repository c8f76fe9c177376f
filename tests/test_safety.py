"""Limits of a spec and a model: no code runs but what a commit pins, and nothing is written outside the run.

The token and the dashboard's address are in test_cluster.py and test_ray_token.py, pickled weights in test_load.py.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import sweeps.run as command
from models.builtin.cache import model_directory
from models.errors import ModelUnsupported
from models.load import load_model
from models.names import TRUST

APP = typer.Typer(add_completion=False)
APP.command()(command.main)
COMMIT = "ec89142b67d748a1865ea4451372db8313ada0d8"
PINNED = f"org/own@{COMMIT}"
NEEDS_TRUST = r"code that comes with a model runs only where its name ends in @<commit>\?trust_remote_code"
CODE = """
import os, pathlib
pathlib.Path(os.environ["CODE_RAN"]).touch()
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
class OwnConfig(LlamaConfig):
    model_type = "own"
class OwnForCausalLM(LlamaForCausalLM):
    config_class = OwnConfig
class OwnTokenizer(PreTrainedTokenizerFast):
    pass
"""


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Is there as soon as the model's own code ran."""
    marker = tmp_path / "ran"
    monkeypatch.setenv("CODE_RAN", str(marker))
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "stdin", None)  # nobody is asked
    return marker


@pytest.fixture
def snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model as the Hub's cache has it, with a Python file beside its weights."""
    cache = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    directory = cache / "models--org--own" / "snapshots" / COMMIT
    shutil.copytree(model_directory("tiny-base"), directory)
    (directory / "own.py").write_text(CODE)
    return directory


def own_model(directory: Path) -> None:
    where = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnForCausalLM"}
    change(directory / "config.json", model_type="own", architectures=["OwnForCausalLM"], auto_map=where)


def own_tokenizer(directory: Path) -> None:
    where = {"AutoTokenizer": [None, "own.OwnTokenizer"]}
    change(directory / "tokenizer_config.json", tokenizer_class="OwnTokenizer", auto_map=where)


def own_generate(directory: Path) -> None:
    (directory / "custom_generate").mkdir()
    (directory / "custom_generate" / "generate.py").write_text(CODE + "def generate(model, *args, **kwargs): ...\n")


def change(path: Path, **entries: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


@pytest.mark.parametrize("own", [own_model, own_tokenizer])
def test_code_of_a_model_does_not_run_unless_its_name_says_so(
    own: Callable[[Path], None], snapshot: Path, ran: Path
) -> None:
    own(snapshot)
    for name in (PINNED, str(snapshot)):
        with pytest.raises(ModelUnsupported, match=NEEDS_TRUST):
            load_model(name)
    assert not ran.exists()


def test_code_that_a_model_can_do_without_is_not_even_imported(snapshot: Path, ran: Path) -> None:
    own_generate(snapshot)
    change(snapshot / "config.json", auto_map={"AutoModelForCausalLM": "own.OwnForCausalLM"})
    loaded = load_model(PINNED)
    assert type(loaded.model).__name__ == "LlamaForCausalLM"
    assert not ran.exists()


def test_code_of_the_pinned_commit_runs_where_the_name_says_so(snapshot: Path, ran: Path) -> None:
    own_model(snapshot)
    loaded = load_model(PINNED + TRUST)
    assert type(loaded.model).__name__ == "OwnForCausalLM"
    assert (loaded.files.name, loaded.files.revision) == (PINNED + TRUST, COMMIT)
    assert ran.exists()


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_of_another_repository_does_not_run_whatever_the_name_says(file: str, snapshot: Path, ran: Path) -> None:
    own_model(snapshot)
    change(snapshot / file, auto_map={"AutoConfig": "org/other--own.OwnConfig"})
    with pytest.raises(ModelUnsupported, match=r"'org/other--own.OwnConfig', which its commit does not pin"):
        load_model(PINNED + TRUST)
    assert not ran.exists()


def test_python_files_are_fetched_for_no_other_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from models import resolve

    fetched: dict[str, list[str]] = {}

    def snapshot_download(repository: str, *, revision: str, allow_patterns: list[str]) -> str:
        fetched[revision] = allow_patterns
        (tmp_path / "model.safetensors").touch()
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    resolve.resolve("org/own@main")
    resolve.resolve(PINNED + TRUST)
    assert "*.py" not in fetched["main"]
    assert "*.py" in fetched[COMMIT]


SPEC = """
name = "{name}"
[[sweep]]
name = "{sweep}"
benchmark = "{benchmark}"
[sweep.factors]
{factors}
"""
HARMLESS = {"name": "mine", "sweep": "s", "benchmark": "noop", "factors": "index = [0]"}
REFUSED = {
    "another directory": ({"name": "../elsewhere"}, "no path"),
    "the root": ({"name": "/etc"}, "no path"),
    "a hidden directory": ({"name": ".ssh"}, "no path"),
    "a sweep elsewhere": ({"sweep": "../../elsewhere"}, "no path"),
    "the report's directory": ({"sweep": "report"}, "'report'"),
    "a module as benchmark": ({"benchmark": "os.system"}, "choose one of"),
    "code that no commit pins": (
        {"benchmark": "generation", "factors": f'model = ["org/name@main{TRUST}"]'},
        "pin the commit that you have read",
    ),
    "such code in a pair": (
        {"benchmark": "binoculars", "factors": f'pair = [["org/a", "org/b{TRUST}"]]'},
        "pin the commit that you have read",
    ),
    "such code for a tokenizer": (
        {"benchmark": "encoding", "factors": f'model = ["/data/model{TRUST}"]'},
        "pin the commit that you have read",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_spec_that_reaches_further_is_one_message(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    changes, expected = REFUSED[what]
    (tmp_path / "hostile.toml").write_text(SPEC.format(**HARMLESS | changes))
    answer = CliRunner().invoke(APP, ["hostile.toml", "--address", "inline", "--out", "runs"])
    assert answer.exit_code == command.EXIT_USER_ERROR, answer.output
    assert expected in " ".join(answer.stderr.split())
    assert {path.name for path in tmp_path.iterdir()} <= {"hostile.toml", "runs"}
    assert not list((tmp_path / "runs").rglob("*"))


WATCHED = """
import os, runpy, sys

def write_down(event, arguments):
    if event == "open" and not isinstance(arguments[0], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
        print("wrote", os.path.abspath(os.fsdecode(arguments[0])), file=sys.stderr)
    if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
        print("started", arguments[0], file=sys.stderr)

sys.addaudithook(write_down)
sys.argv = ["sweeps.run", *sys.argv[1:]]
runpy.run_module("sweeps.run", run_name="__main__")
"""


@pytest.mark.slow
def test_a_run_writes_into_its_directory_and_nowhere_else(tmp_path: Path) -> None:
    factors = 'model = ["builtin://tiny-base"]\nmax_new_tokens = [2]\ncpu_cores = [1]'
    (tmp_path / "mine.toml").write_text(SPEC.format(**HARMLESS | {"benchmark": "generation", "factors": factors}))
    (tmp_path / "temporary").mkdir()
    model_directory("tiny-base")  # built before, into the user's cache
    answer = subprocess.run(
        [sys.executable, "-B", "-c", WATCHED, "mine.toml", "--address", "inline", "--out", "runs"],
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(tmp_path / "temporary")},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    written = {line.removeprefix("wrote ") for line in answer.stderr.splitlines() if line.startswith("wrote ")}
    assert any(path.startswith(str(tmp_path / "runs" / "mine" / "s")) for path in written)
    started = {line.removeprefix("started ") for line in answer.stderr.splitlines() if line.startswith("started ")}
    assert {Path(program).name for program in started} <= {"git", "uname", "lscpu", "ldconfig"}, "questions, no more"
    allowed = (str(tmp_path / "runs"), str(tmp_path / "temporary"), "/dev/", "/proc/self/")
    assert not [path for path in written if not path.startswith(allowed)]
