"""The command as a user types it: with a scorer that reads scores out of the texts, and with the built-in pair."""

import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from models.builtin import cache
from scoring.binoculars import Binoculars
from scoring.detect import APP, _main
from scoring.detection.answers import _print_parts
from scoring.detection.sentences import Tally
from scoring.detection.settings import DEMO_PAIR
from tests.scoring.detection.fakes import BINDING, CURVE, FOR_WINDOWS, GOOD, REVISION, FakeScorer, write_calibration
from tests.scoring.detection.test_page import Page

ROOT = Path(__file__).parents[2]


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


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeScorer]]:
    """The command with a scorer that loads nothing."""
    monkeypatch.setattr("scoring.binoculars.Binoculars", FakeScorer)
    FakeScorer.made.clear()
    return FakeScorer


def for_demo_pair(folder: Path, **changes: Any) -> Path:
    pair = {"observer": DEMO_PAIR[0], "performer": DEMO_PAIR[1]}
    revisions = {"observer_revision": cache.BUILD_ID, "performer_revision": cache.BUILD_ID}
    return write_calibration(folder, **{"binding": BINDING | pair | revisions} | changes)


def words(count: int, score: float = 1.0) -> str:
    """Return so many words, the last with a score."""
    return " ".join(["w"] * (count - 1) + [f"s{score}"])


def detect(*arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(APP, [str(argument) for argument in arguments], input=stdin)


def test_who_stops_the_warnings_has_the_whole_answer(
    texts: Path, fake: type[FakeScorer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_tally: Tally, _files: int) -> Iterator[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(Tally, "warnings", stop)
    result = detect(texts / "human.txt", "--json")
    assert json.loads(result.stdout)["results"]
    assert result.stderr.splitlines()[-1] == "stopped: the answer is complete, its warnings are not"
    assert result.exit_code == 130


def test_scores_without_models_named_come_from_the_demo_pair(texts: Path) -> None:
    result = detect(texts / "human.txt", texts / "machine.txt", "--json")
    assert result.exit_code == 0, result.output
    assert "demo pair" in result.stderr
    document = json.loads(result.stdout)
    assert (document["observer"], document["performer"]) == DEMO_PAIR
    assert [entry["file"].rsplit("/", 1)[1] for entry in document["results"]] == ["human.txt", "machine.txt"]
    assert all(0.1 < entry["score"] < 3 for entry in document["results"])
    assert all(entry["verdict"] is None for entry in document["results"])


def test_a_calibration_gives_verdicts_of_real_scores(texts: Path, tmp_path: Path) -> None:
    result = detect(texts / "human.txt", "--json", "--dtype", "float32", "--score", "fast_detect")
    scored = json.loads(result.stdout)["results"][0]["fast_detect"]
    binding = json.loads(for_demo_pair(tmp_path).read_text())["binding"]
    binding |= {"score": "fast_detect", "direction": "higher"}
    for threshold, verdict in ((scored - 1e-3, "machine"), (scored + 1e-3, "not flagged")):
        groups = [GOOD["groups"][0] | {"min_tokens": 2, "max_tokens": 512, "threshold": threshold}]
        path = write_calibration(tmp_path, binding=binding, groups=groups)
        result = detect("--calibration", path, texts / "human.txt", "--json")
        assert json.loads(result.stdout)["results"][0]["verdict"] == verdict
        assert json.loads(result.stdout)["results"][0]["threshold"] == threshold


def test_windows_show_parts(texts: Path) -> None:
    text = (texts / "human.txt").read_text()
    result = detect(texts / "human.txt", "--windows", 20, "--json")
    (entry,) = json.loads(result.stdout)["results"]
    assert [window["start_word"] for window in entry["windows"]][:3] == [0, 10, 20]
    last = entry["windows"][-1]
    assert last["start_word"] + last["length_words"] == len(text.split())
    assert entry["length_words"] == len(text.split())


def test_every_verdict_is_in_table_and_document(fake: Any, tmp_path: Path) -> None:
    path = write_calibration(tmp_path, probability=CURVE)
    lines = [words(5, 0.7), words(20, 0.95), words(2), words(101), ""]
    (tmp_path / "a.jsonl").write_text(
        "".join(json.dumps({"id": f"r{i}", "text": t}) + "\n" for i, t in enumerate(lines))
    )
    given = ["--calibration", path, tmp_path / "a.jsonl", "--prior", "0.5"]
    verdicts = ["machine", "not flagged", "too short to say", "longer than calibrated", "no score"]
    document = json.loads(detect(*given, "--json").stdout)
    assert [one["verdict"] for one in document["results"]] == verdicts
    assert [one["record"] for one in document["results"]] == ["r0", "r1", "r2", "r3", "r4"]
    assert [one["threshold"] for one in document["results"]] == [0.8, 0.9, None, None, None]
    assert [one["probability"] for one in document["results"]] == [pytest.approx(0.8), pytest.approx(0.15), *[None] * 3]
    assert document["calibration"]["promise"] == {"fpr": 0.01, "confidence": 0.95}
    assert document["calibration"]["in_words"][0].endswith("calibrated on 812 records of news, essays.")
    assert document["prior"] == 0.5
    table = detect(*given).stdout
    assert all(verdict in table for verdict in verdicts)
    assert "At most 1 in 100 human texts like those calibrated on is flagged, with 95% confidence" in table
    assert "'not flagged' says nothing about who wrote a text." in table
    assert "Probabilities hold if 50% of such texts are machine-made" in table
    assert "P(machine)" in table
    assert "80%" in table
    assert "human.txt" not in table


def test_without_a_prior_no_probability_is_shown(fake: Any, tmp_path: Path) -> None:
    path = write_calibration(tmp_path, probability=CURVE)
    result = detect("--calibration", path, "-", stdin=words(5).encode())
    assert "P(machine)" not in result.stdout
    document = json.loads(detect("--calibration", path, "-", "--json", stdin=words(5).encode()).stdout)
    assert (document["prior"], document["results"][0]["probability"]) == (None, None)


def test_a_calibration_sets_every_option_and_its_windows_are_taken(fake: Any, tmp_path: Path) -> None:
    binding = BINDING | {"alignment": "aligned", "dtype": "bfloat16", "quantization": "4-bit", "max_tokens": 60}
    path = write_calibration(tmp_path, binding=binding, **FOR_WINDOWS)
    result = detect("--calibration", path, "-", "--json", stdin=f"{words(4, 0.75)} {words(4, 0.65)}".encode())
    ((models, settings),) = fake.made
    assert models == (f"org/base@{REVISION}", f"org/instruct@{REVISION}")
    assert settings == {
        "alignment": "aligned",
        "dtype": "bfloat16",
        "quantization": "4-bit",
        "max_tokens": 60,
        "panel": False,
    }
    document = json.loads(result.stdout)
    (entry,) = document["results"]
    assert document["windows"]["calibrated"] is True
    assert [window["verdict"] for window in entry["windows"]] == ["not flagged", "not flagged", "machine"]
    assert (entry["verdict"], entry["flagged_windows"], entry["start_word"]) == ("machine", 1, 4)
    assert (entry["score"], entry["threshold"]) == (0.65, 0.7)
    table = detect("--calibration", path, "-", stdin=f"{words(4, 0.75)} {words(4, 0.65)}".encode()).stdout
    assert "machine (1 of 3 windows)" in table


def test_windows_of_another_width_are_plain_and_the_table_says_why(fake: Any, tmp_path: Path) -> None:
    path = write_calibration(tmp_path, **FOR_WINDOWS)
    result = detect("--calibration", path, "-", "--windows", 6, stdin=words(12, 0.1).encode())
    assert "No verdicts for windows of 6 words, one every 3 words: the calibration is for windows of 4" in result.stdout
    document = json.loads(detect("--calibration", path, "-", "--windows", 6, "--json", stdin=words(12).encode()).stdout)
    assert document["windows"]["calibrated"] is False
    assert {window["verdict"] for window in document["results"][0]["windows"]} == {None}
    (entry,) = document["results"]
    assert (entry["verdict"], entry["threshold"], entry["unlike"]) == (None, None, [])  # the thresholds are for windows


def test_windows_of_the_calibrated_width_are_cut_as_they_were_calibrated(fake: Any, tmp_path: Path) -> None:
    path = write_calibration(tmp_path, **FOR_WINDOWS | {"fragments": {"mode": "window", "words": 4, "step": 1}})
    given = ["--calibration", path, "-", "--windows", 4, "--json"]
    windows = json.loads(detect(*given, stdin=words(8).encode()).stdout)["windows"]
    assert (windows["words"], windows["step"], windows["calibrated"]) == (4, 1, True)


def test_windows_in_tokens_are_cut_by_the_tokenizer_as_they_were_calibrated(texts: Path, tmp_path: Path) -> None:
    fragments = {"mode": "window", "tokens": 24, "step": 12}
    groups = [GOOD["groups"][0] | {"min_tokens": 2, "max_tokens": 60, "min_windows": 1, "max_windows": 99}]
    path = for_demo_pair(tmp_path, fragments=fragments, groups=groups)
    document = json.loads(detect("--calibration", path, texts / "human.txt", "--json").stdout)
    assert document["windows"]["calibrated"] is True
    assert {name: document["windows"].get(name) for name in ("tokens", "step", "words")} == {
        "tokens": 24,
        "step": 12,
        "words": None,
    }
    lengths = [window["length_tokens"] for window in document["results"][0]["windows"]]
    assert len(lengths) > 2
    assert all(20 <= length <= 28 for length in lengths[:-1])
    assert "windows of 24 tokens, one every 12 tokens" in detect("--calibration", path, texts / "human.txt").stdout
    plain = detect("--calibration", path, texts / "human.txt", "--windows", 200)  # the default width in words
    assert "No verdicts for windows of 200 words" in plain.stdout


REFUSED: dict[str, tuple[list[str], str]] = {
    "performer": (["--performer", "org/other"], "performer is 'org/other' here"),
    "alignment": (["--alignment", "aligned"], "alignment is 'aligned' here"),
    "dtype": (["--dtype", "bfloat16"], "dtype is 'bfloat16' here"),
    "quantization": (["--quantization", "8-bit"], "quantization is '8-bit' here"),
    "max_tokens": (["--max-tokens", "100"], "max_tokens is 100 here"),
    "score": (["--score", "lrr"], "score is 'lrr' here"),
    "prior": (["--prior", "0.5"], "this calibration has no curve of probabilities"),
}


@pytest.mark.parametrize("key", REFUSED)
def test_a_calibration_for_something_else_is_refused_before_anything_is_loaded(
    key: str, fake: Any, tmp_path: Path
) -> None:
    arguments, message = REFUSED[key]
    result = detect("-", "--calibration", write_calibration(tmp_path), *arguments, stdin=b"some words")
    assert (result.exit_code, result.stdout, fake.made) == (2, "", [])
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_model_that_changed_is_refused(fake: Any, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    binding = BINDING | {"observer": str(tmp_path / "base"), "observer_revision": "another"}
    result = detect("-", "--calibration", write_calibration(tmp_path, binding=binding), stdin=b"some words")
    assert result.exit_code == 2
    assert f"observer_revision is '{REVISION}' here, 'another' in the calibration" in result.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (json.dumps(GOOD)[:-100], "no whole JSON file"),
        ('{"observer": "a", "threshold": 0.9, "fpr_target": 0.01}', "version 1 or none cannot be used"),
        (json.dumps(GOOD | {"fragments": {"mode": "window", "words": 0}}), "fragments: "),
    ],
)
def test_a_bad_calibration_is_one_message(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "calibration.json").write_text(content)
    result = detect("-", "--calibration", tmp_path / "calibration.json", stdin=b"some words")
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_published_calibration_is_used_with_what_is_known_of_it(fake: Any) -> None:
    given = ["--calibration", "published:falcon-low-fpr", "-"]
    result = detect(*given, stdin=words(20, 0.86).encode())
    assert result.exit_code == 0
    assert fake.made[0][0] == ("tiiuae/falcon-7b", "tiiuae/falcon-7b-instruct")
    assert "does not say of which revisions tiiuae/falcon-7b" in result.stderr
    assert "No promise: threshold of the authors of Binoculars (arXiv 2401.12070)" in result.stdout
    assert "0.8536" in result.stdout
    document = json.loads(detect(*given, "--json", stdin=words(20, 0.85).encode()).stdout)
    assert (document["results"][0]["verdict"], document["calibration"]["promise"]) == ("machine", None)


def test_folders_and_records_are_judged_beside_what_cannot_be_read(fake: Any, tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.csv").write_text("id,essay\n1,{0}\n2,{0},x\n".format(words(5)))
    (folder / "b.txt").write_text(words(5))
    (folder / "c.pdf").write_text("x")
    (folder / "d.csv").write_text("id,text\n1,x\n")
    result = detect(folder, "absent.txt", "--text", "essay", "--json")
    assert result.exit_code == 0, result.output
    found = [(one["record"], one["null_reason"]) for one in json.loads(result.stdout)["results"]]
    assert found == [
        ("1", None),
        (f"{folder}/a.csv:1", "bad_row"),
        (None, None),
        (None, "unreadable"),
        (None, "unreadable"),
    ]
    assert "3 files to read; 1 entry passed over (.pdf 1)" in result.stderr
    assert "2 of 4 files cannot be read; the other files are scored" in result.stderr
    assert "1 record without a text that can be read" in result.stderr


def test_where_only_bad_records_are_found_nothing_was_read(fake: Any, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("broken\n" * 30)
    result = detect(tmp_path / "a.jsonl")
    assert (result.exit_code, result.stdout, fake.made) == (2, "", [])
    assert len(result.stderr.splitlines()) == 21
    assert result.stderr.splitlines()[-1] == "… and 10 more that cannot be read"


def test_a_folder_without_texts_is_one_message(fake: Any, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_text("x")
    result = detect(tmp_path)
    assert (result.exit_code, result.stdout, fake.made) == (2, "", [])
    assert "0 files to read; 1 entry passed over (.pdf 1)" in result.stderr


def test_a_text_unlike_the_population_is_warned_of_and_judged(fake: Any, tmp_path: Path) -> None:
    population = GOOD["population"] | {"length_tokens": [10, 100], "scripts": ["LATIN"]}
    path = write_calibration(tmp_path, population=population)
    result = detect("--calibration", path, "-", "--json", stdin="это обычный текст на русском s0.7".encode())
    (entry,) = json.loads(result.stdout)["results"]
    assert entry["verdict"] == "machine"
    assert entry["unlike"] == [
        "6 tokens, and the texts of the calibration have 10 to 100",
        "mostly CYRILLIC letters, and the texts of the calibration are LATIN",
    ]
    assert "the promise is not about 1 text unlike those calibrated on: - (6 tokens" in result.stderr


def test_a_text_that_was_cut_is_said_to_be(fake: Any, tmp_path: Path) -> None:
    path = write_calibration(tmp_path)
    result = detect("--calibration", path, "-", stdin=words(600).encode())
    assert "512 (cut)" in result.stdout
    assert "its verdict is about the first 512 tokens" in result.stdout


def test_a_page_is_written_and_its_name_printed(fake: Any, tmp_path: Path) -> None:
    path, page = write_calibration(tmp_path), tmp_path / "page.html"
    result = detect("--calibration", path, "-", "--html", page, stdin=words(5, 0.1).encode())
    assert (result.exit_code, result.stdout) == (0, f"{page}\n")
    assert Page(page).by_class["verdict machine"] == ["machine"] * 2
    refused = detect("-", "--html", page, "--json", stdin=b"x")
    assert refused.exit_code == 2
    assert "--json and --html are two answers" in refused.stderr


def test_a_page_of_the_demo_pair_says_so(fake: Any, tmp_path: Path) -> None:
    detect("-", "--html", tmp_path / "page.html", stdin=words(5).encode())
    assert any("shows how this works" in text for text in Page(tmp_path / "page.html").by_class["aside"])


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_loaded(
    fake: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scoring.detection.page.os.access", lambda path, mode: False)
    result = detect("-", "--html", tmp_path / "page.html", stdin=b"some words")
    assert (result.exit_code, fake.made) == (2, [])
    assert f"the folder {tmp_path} cannot be written" in result.stderr


def test_a_page_that_cannot_be_written_is_one_line_and_exit_code_1(
    fake: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "a.txt").write_text("some words")
    monkeypatch.setattr("scoring.detection.page.os.fsync", full)
    monkeypatch.setattr("sys.argv", ["detect", str(tmp_path / "a.txt"), "--html", str(tmp_path / "page.html")])
    monkeypatch.setattr("scoring.detect.discard_stdout", lambda: None)
    with pytest.raises(SystemExit) as ended:
        _main()
    assert ended.value.code == 1
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "error" in line]
    assert line == f"error: the answer cannot be written: {tmp_path}/page.html: No space left on device"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


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
    given = ["human.txt", "latin1.txt", "absent.txt", "a\0b", "machine.txt", "human.txt"]
    result = detect(*given, "--json")
    assert result.exit_code == 0
    assert "3 of 6 files cannot be read; the other files are scored" in result.stderr
    entries = json.loads(result.stdout)["results"]
    assert [entry["file"] for entry in entries] == given
    assert [entry["null_reason"] for entry in entries] == [None, *["unreadable"] * 3, None, None]
    assert [str(entry["error"]).split(";")[0] for entry in entries[1:4]] == [
        "not UTF-8 text at byte 3",
        "No such file or directory",
        "a\\x00b: cannot be read: embedded null byte",
    ]
    assert all((entry["score"] is None) == (entry["error"] is not None) for entry in entries)
    table = detect("latin1.txt", "machine.txt", "--windows", 20)
    assert "none: not UTF-8 text at byte 3; convert it, or say" in table.stdout
    assert table.stdout.count("  window") > 1


def test_where_no_file_can_be_read_each_is_told_and_nothing_is_loaded(
    texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scoring.binoculars.Binoculars", None)
    result = detect(texts / "latin1.txt", texts / "absent.txt")
    assert (result.exit_code, result.stdout) == (2, "")
    assert [line.split(": ", 1)[-1] for line in result.stderr.splitlines()] == [
        f"{texts / 'latin1.txt'}: not UTF-8 text at byte 3; convert it, or say --encoding",
        "No such file or directory; name readable files or folders, or - for stdin",
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
    assert "flag those that" in result.stdout
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
    for module in ("detect", "detection.answers"):
        monkeypatch.setattr(f"scoring.{module}.discard_stdout", lambda: dropped.append(True))
    monkeypatch.setattr("scoring.detect.APP", lambda: _print_parts(["text"]))
    if code:
        with pytest.raises(SystemExit) as ended:
            _main()
        assert ended.value.code == code
    else:
        _main()
    assert dropped == [True]
