"""A fingerprint is the same for the same content and another for any other, wherever the files lie."""

import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from models.builtin.cache import model_directory
from models.errors import ModelUnavailable
from models.fingerprint import SMALL_BYTES, fingerprint
from models.resolve import ModelFiles, resolve
from models.sources import find

LARGE_BYTES = 8 * SMALL_BYTES


def write_weights(path: Path, seed: int = 0, length: int = LARGE_BYTES) -> None:
    """A safetensors file of one tensor."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [length], "data_offsets": [0, length]}}).encode()
    content = (bytes([seed]) + bytes(range(251))) * (length // 252 + 1)
    path.write_bytes(struct.pack("<Q", len(header)) + header + content[:length])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    directory = tmp_path / "model"
    directory.mkdir()
    write_weights(directory / "model.safetensors")
    for name in ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "merges.txt"):
        (directory / name).write_text("{}")
    (directory / "q4.gguf").write_bytes(b"GGUF" + bytes(LARGE_BYTES))
    return directory


def of(directory: Path, gguf_file: str | None = None) -> str:
    return fingerprint(ModelFiles("m", directory, gguf_file, None))


def test_it_is_the_revision_of_a_directory_and_of_a_gguf_file(model: Path, tmp_path: Path) -> None:
    assert resolve(str(model)).revision == of(model)
    assert resolve(f"{model}#q4.gguf").revision == of(model, "q4.gguf") != of(model)
    assert find("org/model", str(tmp_path)).revision == of(model)
    prefix, digits = of(model).split(":")
    assert prefix == "sha256"
    assert int(digits, 16) >= 0
    assert len(digits) == 16


def test_a_copy_a_move_a_date_and_what_no_model_reads_change_nothing(model: Path, tmp_path: Path) -> None:
    before = of(model)
    assert of(Path(shutil.copytree(model, tmp_path / "copy"))) == before
    assert of(model.rename(tmp_path / "moved")) == before
    os.utime(tmp_path / "moved" / "config.json", (0, 0))
    (tmp_path / "moved" / "README.md").write_text("notes")
    assert of(tmp_path / "moved") == before


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def tune(path: Path) -> None:
    """Change a file as training does: every number moves, names and shapes stay."""
    content = path.read_bytes()
    path.write_bytes(content[:200] + bytes(byte ^ 1 for byte in content[200:]))


CHANGES: dict[str, Callable[[Path], object]] = {
    "a setting": lambda d: (d / "config.json").write_text("[]"),
    "a generation setting": lambda d: (d / "generation_config.json").write_text("[]"),
    "the tokenizer": lambda d: (d / "tokenizer.json").write_text("[]"),
    "merges": lambda d: (d / "merges.txt").write_text("[]"),
    "an index": lambda d: (d / "model.safetensors.index.json").write_text("{}"),
    "an adapter": lambda d: (d / "adapter_config.json").write_text("{}"),
    "no generation settings": lambda d: (d / "generation_config.json").unlink(),
    "a name": lambda d: (d / "merges.txt").rename(d / "vocab.txt"),
    "training": lambda d: tune(d / "model.safetensors"),
    "the header": lambda d: flip(d / "model.safetensors", 12),
    "the last byte": lambda d: flip(d / "model.safetensors", -1),
    "weights cut short": lambda d: os.truncate(d / "model.safetensors", LARGE_BYTES // 2),
    "one more file of weights": lambda d: write_weights(d / "more.safetensors", length=10),
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_content_is_another_fingerprint(change: str, model: Path) -> None:
    before = of(model)
    CHANGES[change](model)
    assert of(model) != before


def test_small_weights_are_read_to_the_last_byte(model: Path) -> None:
    write_weights(model / "model.safetensors", length=5000)
    seen = {of(model)}
    for place in (100, 2500, -1):
        flip(model / "model.safetensors", place)
        seen.add(of(model))
    assert len(seen) == 4


def test_a_large_file_is_not_read_whole(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    pread = os.pread

    def counted(descriptor: int, length: int, start: int) -> bytes:
        read.append(length)
        return pread(descriptor, length, start)

    write_weights(model / "model.safetensors", length=64 * SMALL_BYTES)
    monkeypatch.setattr(os, "pread", counted)
    of(model)
    assert sum(read) < 2 * SMALL_BYTES


def test_files_of_zeros_differ_by_their_size(model: Path) -> None:
    seen = set()
    for length in (64 * SMALL_BYTES, 65 * SMALL_BYTES):  # every byte that is read is the same
        with (model / "model.safetensors").open("wb") as file:
            file.truncate(length)
        seen.add(of(model))
    assert len(seen) == 2


def test_a_long_header_is_read_whole(model: Path) -> None:
    path, header_bytes = model / "model.safetensors", 8 * SMALL_BYTES
    with path.open("wb") as file:
        file.write(struct.pack("<Q", header_bytes))
        file.truncate(256 * SMALL_BYTES)
    before = of(model)
    with path.open("r+b") as file:
        file.seek(2 * SMALL_BYTES)  # blocks are 4 MiB apart
        file.write(b"x")
    assert of(model) != before


def test_the_kernel_is_told_not_to_read_ahead(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    advice: list[int] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda descriptor, start, length, wanted: advice.append(wanted))
    of(model)
    assert advice == [os.POSIX_FADV_RANDOM]


@pytest.mark.parametrize("content", [b"", b"x", b"\xff" * 64, bytes(8)])
def test_damaged_weights_have_one_too_their_load_tells(model: Path, content: bytes) -> None:
    (model / "model.safetensors").write_bytes(content)
    assert of(model).startswith("sha256:")


def test_a_file_that_is_gone_is_told(model: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"model 'm': .*q8\.gguf cannot be read: No such file"):
        of(model, "q8.gguf")


def test_neither_torch_nor_transformers_nor_the_hub_is_imported_for_it() -> None:
    code = (
        "import sys; from models import presence, sources; from models.resolve import resolve; "
        f"resolve({str(model_directory('tiny-base'))!r}); "
        "print({'torch', 'transformers', 'huggingface_hub', 'numpy'} & sys.modules.keys())"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout == "set()\n"
