"""Names lead to files, or to a message where there are none."""

import shutil
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import errors

from actors.failures import classify
from models.builtin.cache import model_directory
from models.errors import ModelNameError, ModelUnavailable
from models.presence import missing_model
from models.resolve import resolve, resolve_tokenizer


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a model in `org/name`."""
    shutil.copytree(model_directory("tiny-base"), tmp_path / "org" / "name")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_plain_name_is_never_a_directory_of_the_working_directory(here: Path) -> None:
    with pytest.raises(
        ModelUnavailable, match=r"There is a directory of that name here: write '\./org/name'"
    ) as caught:
        resolve("org/name")
    assert classify(caught.value).status == "unavailable"
    assert resolve("./org/name").directory == Path("org/name")


def test_a_name_that_no_hub_knows_is_no_name(here: Path) -> None:
    with pytest.raises(ModelNameError, match=r"is no Hub id \(org/name\)\. There is .* write '\./org/name/\.\./name'"):
        resolve("org/name/../name")
    with pytest.raises(ModelNameError, match=r"'a//b' is no Hub id \(org/name\)$"):
        resolve("a//b")


def answer(kind: type[errors.HfHubHTTPError], code: int) -> errors.HfHubHTTPError:
    response: Any = SimpleNamespace(headers={}, request=None)
    return kind(f"{code} Client Error. (Request ID: 1)\n\nmore", response=response)


ANSWERS: dict[str, tuple[Exception, str]] = {
    "gated": (answer(errors.GatedRepoError, 403), "its owner restricts access: accept the terms"),
    "none": (answer(errors.RepositoryNotFoundError, 404), "no such repository, or it is private"),
    "revision": (answer(errors.RevisionNotFoundError, 404), "no such revision"),
    "offline": (errors.LocalEntryNotFoundError("x"), "the Hub cannot be reached, or HF_HUB_OFFLINE is set"),
    "status": (answer(errors.HfHubHTTPError, 500), "500 Client Error"),
    "disk": (OSError(28, "No space left on device"), "No space left on device"),
    "silent": (OSError(), "OSError"),
}


@pytest.mark.parametrize("why", ANSWERS)
def test_what_the_hub_does_not_give_is_unavailable_with_the_reason(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    error, reason = ANSWERS[why]

    def refuse(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(ModelUnavailable, match=reason) as caught:
        resolve("org/other")
    assert "'org/other'" in str(caught.value)
    assert classify(caught.value).status == "unavailable"


def test_the_hub_is_asked_for_no_pickles_and_for_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fetch(name: str, revision: str | None, allow_patterns: list[str]) -> str:
        asked.extend(allow_patterns)
        (tmp_path / "config.json").write_text("{}")
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    with pytest.raises(ModelUnavailable, match=r"model 'org/m': no \*\.safetensors in .*pickled weights"):
        resolve("org/m")
    for name in ("pytorch_model.bin", "model.pt", "model.pth", "model.pkl", "model.ckpt", "modeling_own.py"):
        assert not any(fnmatch(name, pattern) for pattern in asked), name
    assert any(fnmatch("model-00001-of-00002.safetensors", pattern) for pattern in asked)


def test_the_hub_is_asked_for_no_weights_where_only_the_tokenizer_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def fetch(name: str, revision: str | None, allow_patterns: list[str]) -> str:
        asked.extend(allow_patterns)
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    assert resolve_tokenizer("org/m").directory == tmp_path
    assert not any(fnmatch("model.safetensors", pattern) for pattern in asked)
    for name in ("tokenizer.json", "tokenizer.model", "merges.txt"):
        assert any(fnmatch(name, pattern) for pattern in asked), name


def test_a_home_that_nobody_has_is_told() -> None:
    with pytest.raises(ModelUnavailable, match="~nobody-of-that-name"):
        resolve("~nobody-of-that-name/m")


def test_what_is_there_is_not_missing(here: Path) -> None:
    (here / "org" / "name" / "q4.gguf").touch()
    for name in (f"{here}/org/name", f"{here}/org/name#q4.gguf"):
        assert missing_model(name) is None


@pytest.mark.parametrize("name", ["org/name", "./absent", "builtin://tiny-base", "~/absent"])
def test_only_absolute_paths_are_looked_at(name: str) -> None:
    assert missing_model(name) is None


MISSING = {
    "/org/nme": "no directory {here}/org/nme on this machine (did you mean '{here}/org/name'?)",
    "/og/name": "no directory {here}/og/name on this machine: no directory 'og' in {here} (did you mean '{here}/org'?)",
    "/zzz": "no directory {here}/zzz on this machine",
    "/org/name#q5.gguf": "no file {here}/org/name/q5.gguf on this machine (did you mean '{here}/org/name/q4.gguf'?)",
    "/org/name/q4.gguf": "{here}/org/name/q4.gguf is a file; write {here}/org/name#q4.gguf",
    "/org/name/config.json": "{here}/org/name/config.json is a file, not a directory",
    "/org": "no *.safetensors in {here}/org (pickled weights are not loaded: they run code)",
    "/only": "no *.safetensors in {here}/only; for one of its .gguf files write {here}/only#a.gguf",
    "/bare": "no config.json in {here}/bare; put it there",
}


@pytest.mark.parametrize("name", MISSING)
def test_what_is_missing_is_told_with_what_is_near(name: str, here: Path) -> None:
    for file in ("org/name/q4.gguf", "only/a.gguf", "only/b.gguf", "bare/model.safetensors"):
        (here / file).parent.mkdir(exist_ok=True)
        (here / file).touch()
    reason = MISSING[name].format(here=here)
    assert missing_model(f"{here}{name}") == reason
    with pytest.raises(ModelUnavailable) as caught:
        resolve(f"{here}{name}")
    assert str(caught.value) == f"model {f'{here}{name}'!r}: {reason}"


def test_names_of_files_that_are_no_text_can_be_told(here: Path) -> None:
    (here / "caf\udce9").mkdir()
    reason = missing_model(f"{here}/cafe")
    assert reason is not None
    assert reason.encode()


def test_a_message_with_such_a_name_can_be_written() -> None:
    assert str(ModelUnavailable("no file /caf\udce9")).encode()
    assert classify(RuntimeError("no file /caf\udce9")).message.encode()
