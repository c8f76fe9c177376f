"""The command as a user types it, with the built-in pair."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from models import embedded
from scoring.detect import APP, DEMO_PAIR

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
    with embedded.docs_path().open() as stream:
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
    assert "the calibration is for something else" in result.stderr
