"""The command as a user types it, with the built-in pair."""

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from models.builtin import cache
from scoring.binoculars import Binoculars
from scoring.detect import APP, DEMO_PAIR, _main, _print_answer
from scoring.errors import ScoringError

ROOT = Path(__file__).parents[2]
BOUND: dict[str, Any] = {
    "observer": DEMO_PAIR[0],
    "performer": DEMO_PAIR[1],
    "dtype": "float32",
    "quantization": "none",
    "alignment": "reference",
    "threshold": 1.0,
    "fpr_target": 0.01,
    "created_at": "2026-01-02T03:04:05Z",
}


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    with cache.docs_path().open() as stream:
        record = json.loads(stream.readline())
    (folder / "human.txt").write_text(record["human"])
    (folder / "machine.txt").write_text(record["synthetic"])
    (folder / "empty.txt").write_text("  \n")
    (folder / "latin1.txt").write_bytes("café".encode("latin-1"))
    return folder


def detect(*arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(APP, [str(argument) for argument in arguments], input=stdin)


def calibration(folder: Path, **changes: Any) -> Path:
    path = folder / "calibration.json"
    path.write_text(json.dumps(BOUND | changes))
    return path


def test_scores_without_models_named_come_from_the_demo_pair(texts: Path) -> None:
    result = detect(texts / "human.txt", texts / "machine.txt", "--json")
    assert result.exit_code == 0, result.output
    assert "demo pair" in result.stderr
    document = json.loads(result.stdout)
    assert (document["observer"], document["performer"]) == DEMO_PAIR
    assert [entry["file"].rsplit("/", 1)[1] for entry in document["results"]] == ["human.txt", "machine.txt"]
    assert all(0.1 < entry["score"] < 3 for entry in document["results"])
    assert all(entry["verdict"] is None for entry in document["results"])


def test_a_calibration_gives_verdicts(texts: Path, tmp_path: Path) -> None:
    scored = json.loads(detect(texts / "human.txt", "--json", "--dtype", "float32").stdout)["results"][0]["score"]
    for threshold, verdict in ((scored + 1e-4, "machine"), (scored - 1e-4, "human")):
        path = calibration(tmp_path, threshold=threshold, dtype="float32")
        result = detect("--calibration", path, texts / "human.txt", "--json", "--dtype", "float32")
        assert json.loads(result.stdout)["results"][0]["verdict"] == verdict
        table = detect("--calibration", path, texts / "human.txt")
        assert verdict in table.stdout


@pytest.mark.parametrize("options", [{}, {"alignment": "reference", "dtype": "float16", "quantization": "8-bit"}])
def test_a_calibration_sets_every_option_that_is_not_given(
    options: dict[str, str], texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[tuple[tuple[str, ...], dict[str, Any]]] = []

    def binoculars(*models: str, **settings: Any) -> None:
        taken.append((models, settings))
        raise ScoringError("the settings are known")

    monkeypatch.setattr("scoring.binoculars.Binoculars", binoculars)
    models = {"observer": "org/base", "performer": "org/instruct"}
    bound = {"alignment": "aligned", "dtype": "bfloat16", "quantization": "4-bit"}
    given = [argument for name, value in options.items() for argument in (f"--{name}", value)]
    detect(texts / "human.txt", "--calibration", calibration(tmp_path, **models, **bound), *given)
    assert taken == [(tuple(models.values()), bound | options | {"max_tokens": 512})]


def test_windows_show_parts(texts: Path) -> None:
    text = (texts / "human.txt").read_text()
    result = detect(texts / "human.txt", "--windows", 20, "--json")
    entries = json.loads(result.stdout)["results"]
    assert [entry["start_word"] for entry in entries][:3] == [0, 10, 20]
    assert entries[-1]["start_word"] + entries[-1]["length_words"] == len(text.split())


def test_stdin_is_read_and_an_empty_text_says_why(texts: Path) -> None:
    result = detect("-", texts / "empty.txt", "--json", stdin=b"Some words from a pipe.")
    entries = json.loads(result.stdout)["results"]
    assert [(entry["file"] == "-", entry["null_reason"]) for entry in entries] == [
        (True, None),
        (False, "empty_text"),
    ]
    table = detect(texts / "empty.txt")
    assert table.exit_code == 0
    assert "none: empty_text" in table.stdout


def test_cut_texts_say_so(texts: Path) -> None:
    result = detect(texts / "human.txt", "--max-tokens", 10)
    assert "10 (cut)" in result.stdout
    assert "lower is more machine-like" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.txt"], "absent.txt: No such file"),
        (["latin1.txt"], "latin1.txt: not UTF-8 text at byte 3"),
        (["human.txt", "--observer", "builtin://tiny-base"], "name both"),
        (["human.txt", "--observer", "builtin://x", "--performer", "builtin://x"], "is not built in; built in are"),
        (["human.txt", "--calibration", "absent.json"], "absent.json: No such file"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(
    texts: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(texts)
    result = detect(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_file_that_cannot_be_read_costs_the_others_nothing(texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(texts)
    given = ["human.txt", "latin1.txt", ".", "absent.txt", "a\0b", "machine.txt", "human.txt"]
    result = detect(*given, "--json")
    assert result.exit_code == 0
    assert "4 of 7 files cannot be read; the other files are scored" in result.stderr
    entries = json.loads(result.stdout)["results"]
    assert [entry["file"] for entry in entries] == given
    assert [entry["null_reason"] for entry in entries] == [None, *["unreadable"] * 4, None, None]
    assert [str(entry["error"]).split(";")[0] for entry in entries[1:5]] == [
        "not UTF-8 text at byte 3",
        "Is a directory",
        "No such file or directory",
        "embedded null byte",
    ]
    assert all((entry["score"] is None) == (entry["error"] is not None) for entry in entries)
    table = detect("latin1.txt", "machine.txt", "--windows", 20)
    assert "none: not UTF-8 text at byte 3; convert it first" in table.stdout
    assert table.stdout.count("machine.txt") > 1


def test_where_no_file_can_be_read_each_is_told_and_nothing_is_loaded(
    texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scoring.binoculars.Binoculars", None)
    result = detect(texts / "latin1.txt", texts)
    assert (result.exit_code, result.stdout) == (2, "")
    assert [line.split(": ", 1)[-1] for line in result.stderr.splitlines()] == [
        f"{texts / 'latin1.txt'}: not UTF-8 text at byte 3; convert it first",
        "Is a directory; name readable text files, or - for stdin",
    ]


def test_a_file_scores_as_its_text_does(tmp_path: Path) -> None:
    text = "The first line of it,\nand a second one.  "
    forms = {"bare": text, "edited": f"{text}\n", "padded": f"{text}\n\n\n", "dos": f"{text}\n".replace("\n", "\r\n")}
    forms["marked"] = f"\ufeff{text}"
    for name, form in forms.items():
        (tmp_path / name).write_bytes(form.encode())
    result = detect(*(tmp_path / name for name in forms), "-", "--json", stdin=f"{text}\n".encode())
    (expected,) = Binoculars(*DEMO_PAIR).score([text])
    seen = [(one["length_tokens"], one["score"]) for one in json.loads(result.stdout)["results"]]
    assert [tokens for tokens, _ in seen] == [expected.length_tokens] * 6
    assert [score for _, score in seen] == [pytest.approx(expected.score, rel=1e-4)] * 6


def test_stdin_is_read_once(texts: Path) -> None:
    result = detect("-", "-", stdin=b"Some words.")
    assert result.exit_code == 2
    assert "name it once" in result.stderr


ODD = {
    r"\[/x] closes [bold]nothing[/bold] [/": r"\[/x] closes [bold]nothing[/bold] [/",
    "a\x1b[31mred\x1b]0;title\x07 bell": r"a\x1b[31mred\x1b]0;title\x07 bell",
    "right \u202e to left \x9b1m": r"right \u202e to left \x9b1m",
    "naïve 中文 🙂": "naïve 中文 🙂",
}


@pytest.mark.parametrize("text", ODD)
def test_texts_and_names_are_shown_as_they_are_and_no_terminal_obeys_them(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in (Path("[", "red]"), Path("[", "x]")):  # the path [/x], which is markup
        folder.parent.mkdir(exist_ok=True)
        folder.write_text(text)
    name = text.replace("/", "_")
    Path(name).write_text(text)
    result = detect(name, "[/x]", "[/red]", "absent[/x]", "--max-tokens", 50)
    assert result.exit_code == 0, result.output
    shown = ODD[text]
    assert result.stdout.count(shown) + result.stdout.count(shown.replace("/", "_")) >= 4
    assert "[/x]" in result.stdout
    assert "absent[/x]" in result.stdout
    assert not set(result.output) & {"\x1b", "\x07", "\x9b", "\u202e"}
    refused = detect(f"absent{name}", "--observer", f"./{name}", "--performer", f"./{name}")
    assert refused.exit_code == 2
    assert not set(refused.output) & {"\x1b", "\x07", "\x9b", "\u202e"}


def test_names_that_are_no_text_are_shown(tmp_path: Path) -> None:
    name = tmp_path / "caf\udce9.txt"
    name.write_text("Some words to score.")
    result = detect(name)
    assert result.exit_code == 0
    assert r"caf\udce9.txt" in result.stdout
    assert json.loads(detect(name, "--json").stdout)["results"][0]["file"] == str(name)


def test_models_are_directories_of_the_callers_place(texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cache.model_directory("tiny-base").parent)
    base, instruct = (cache.model_directory(name) for name in cache.MODELS)
    result = detect(texts / "human.txt", "--observer", base.name, "--performer", f"./{instruct.name}", "--json")
    document = json.loads(result.stdout)
    assert (document["observer"], document["performer"]) == (str(base), str(instruct))
    refused = detect(texts / "human.txt", "--observer", base.name, "--performer", "./absent")
    assert refused.exit_code == 2
    assert f"no directory {base.parent}/absent on this machine" in refused.stderr


def test_a_model_that_is_no_name_is_one_message(texts: Path) -> None:
    for model in ("\udcff", "m" * 5000, "~nobody-of-that-name/m"):
        result = detect(texts / "human.txt", "--observer", model, "--performer", DEMO_PAIR[1])
        assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)


COMMAND = """
import importlib.machinery, os, runpy, sys

class Editable:
    # As an editable install finds packages: last, after every folder of the path.
    @staticmethod
    def find_spec(name, path=None, target=None):
        return importlib.machinery.PathFinder.find_spec(name, [{root!r}]) if "." not in name else None

sys.path = [os.getcwd(), *(entry for entry in sys.path[1:] if entry not in ("", {root!r}))]
sys.meta_path = [*(finder for finder in sys.meta_path if "__editable__" not in str(finder)), Editable]
sys.argv = ["detect", *{arguments!r}]
runpy.run_module("scoring.detect", run_name="__main__", alter_sys=False)
"""


def command(*arguments: object, cwd: Path, **streams: Any) -> subprocess.CompletedProcess[str]:
    code = COMMAND.format(root=str(ROOT), arguments=[str(argument) for argument in arguments])
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=environment, timeout=120, text=True, check=False, **streams
    )


@pytest.mark.slow
def test_what_lies_in_the_callers_directory_does_not_come_first(texts: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()  # a folder without __init__.py is a package, too
    for name in ("torch", "typer", "numpy", "sweeps"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('another file of that name')")
    result = command(texts / "human.txt", "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["results"][0]["score"] > 0


def test_a_module_of_the_caller_named_models_does_not_come_first_and_help_imports_no_torch(tmp_path: Path) -> None:
    for name in ("models", "typer", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('another file of that name')")
    (tmp_path / "torch.py").write_text("raise SystemExit('torch is imported')")
    result = command("--help", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "the lower the score" in result.stdout
    code = "import sys, scoring.detect; print({'torch', 'transformers', 'pandas', 'datasets'} & sys.modules.keys())"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout == "set()\n"


def test_an_answer_that_cannot_be_written_is_one_line(texts: Path) -> None:
    with Path("/dev/full").open("w") as full:
        result = command("--help", cwd=texts, stdout=full)
    assert (result.returncode, result.stderr) == (
        1,
        "error: the answer cannot be written: No space left on device\n",
    )


@pytest.mark.parametrize(("error", "code"), [(BrokenPipeError(errno.EPIPE, "x"), 0), (OSError(errno.ENOSPC, "x"), 1)])
def test_who_closes_a_pipe_has_read_enough(error: OSError, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def flush(self) -> None:
            raise error

    dropped: list[bool] = []
    monkeypatch.setattr("sys.stdout", Closed())
    monkeypatch.setattr("scoring.detect._discard_stdout", lambda: dropped.append(True))
    monkeypatch.setattr("scoring.detect.APP", lambda: _print_answer("text"))
    if code:
        with pytest.raises(SystemExit) as ended:
            _main()
        assert ended.value.code == code
    else:
        _main()
    assert dropped == [True]


@pytest.mark.parametrize(
    ("change", "arguments"),
    [
        ({"performer": DEMO_PAIR[0]}, ["--performer", DEMO_PAIR[1]]),
        ({}, ["--alignment", "aligned"]),
        ({}, ["--dtype", "bfloat16"]),
    ],
)
def test_a_calibration_for_something_else_is_refused(
    texts: Path, tmp_path: Path, change: dict[str, str], arguments: list[str]
) -> None:
    path = calibration(tmp_path, **change)
    result = detect(texts / "human.txt", "--calibration", path, *arguments)
    assert result.exit_code == 2
    assert "the calibration is for other settings" in result.stderr
