"""A model is found where a source has it, in either layout, and nowhere else."""

import json
from pathlib import Path
from typing import Any

import pytest

from models import sources
from models.errors import ModelDamaged, ModelUnavailable
from models.fingerprint import fingerprint
from models.sources import find, weight_files

COMMIT = "0123abcd"


def put(directory: Path, *names: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    for name in names or ("model.safetensors",):
        (directory / name).touch()
    return directory


def put_snapshot(hub: Path, commit: str = COMMIT, **references: str) -> Path:
    """Write a snapshot as huggingface_hub does: its files are links to blobs."""
    repository = hub / "models--org--name"
    blobs = put(repository / "blobs", f"blob-{commit}")
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").symlink_to(blobs / f"blob-{commit}")
    for reference, target in references.items():
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / reference).write_text(target + "\n")
    return snapshot


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("org/name", "org/name"),
        ("org/name", "name"),
        ("/data/models/name", "name"),
        ("/data/org/name", "org/name"),
        ("builtin://tiny-base", "tiny-base"),
    ],
)
def test_plain_copies(tmp_path: Path, name: str, where: str) -> None:
    directory = put(tmp_path / where)
    files = find(name, str(tmp_path))
    assert (files.name, files.directory) == (name, directory)
    assert files.revision == fingerprint(files)
    assert weight_files(files) == (directory / "model.safetensors",)


@pytest.mark.parametrize("hub", ["", "hub"])
def test_a_hub_cache(tmp_path: Path, hub: str) -> None:
    snapshot = put_snapshot(tmp_path / hub, main=COMMIT)
    files = find("org/name", str(tmp_path))
    assert (files.directory, files.revision) == (snapshot, COMMIT)
    assert weight_files(files) == (snapshot.parent.parent / "blobs" / f"blob-{COMMIT}",), "not the link"


def test_a_hub_cache_has_revisions(tmp_path: Path) -> None:
    put_snapshot(tmp_path, main=COMMIT)
    put_snapshot(tmp_path, "4567", main=COMMIT, v2="4567")
    names = {"org/name": COMMIT, "org/name@main": COMMIT, "org/name@v2": "4567", "org/name@4567": "4567"}
    assert {name: find(name, str(tmp_path)).revision for name in names} == names


def test_a_plain_copy_is_of_no_known_revision(tmp_path: Path) -> None:
    put(tmp_path / "org" / "name")
    with pytest.raises(ModelUnavailable, match="models--org--name/snapshots/v2") as missing:
        find("org/name@v2", str(tmp_path))
    assert str(tmp_path / "org") not in str(missing.value).replace("models--org", "")


def test_a_gguf_file(tmp_path: Path) -> None:
    directory = put(tmp_path / "name", "q4.gguf", "q8.gguf")
    files = find("org/name#q4.gguf", str(tmp_path))
    assert (files.directory, files.gguf_file) == (directory, "q4.gguf")
    assert weight_files(files) == (directory / "q4.gguf",)
    with pytest.raises(ModelUnavailable, match=r"no q2\.gguf in"):
        find("org/name#q2.gguf", str(tmp_path))


def test_two_sources_have_copies_of_their_own(tmp_path: Path) -> None:
    roots = [tmp_path / "nvme", tmp_path / "nfs"]
    for root in roots:
        put(root / "org" / "name")
    assert [find("org/name", str(root)).directory.is_relative_to(root) for root in roots] == [True, True]


def test_what_is_missing_is_told_with_every_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "resolve", lambda name: pytest.fail("a source is never left for the Hub"))
    put(tmp_path / "org" / "name", "pytorch_model.bin")
    with pytest.raises(ModelUnavailable) as missing:
        find("org/name", str(tmp_path))
    for place in ("models--org--name", "hub/models--org--name", "org/name", "name"):
        assert str(tmp_path / place) in str(missing.value)
    for absent in (str(tmp_path / "absent"), "~nobody-of-that-name/models", "/" + "x" * 300, "/\udcff"):
        with pytest.raises(ModelUnavailable, match="no such directory") as missing:
            find("org/name", absent)
        assert str(missing.value).encode()


def test_without_a_source_the_name_is_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "resolve", lambda name: f"resolved {name}")
    resolved: Any = find("org/name")
    assert resolved == "resolved org/name"


def test_the_shards_of_the_index_are_what_a_load_reads(tmp_path: Path) -> None:
    directory = put(tmp_path / "name", "a.safetensors", "b.safetensors", "consolidated.safetensors")
    index = directory / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"x": "b.safetensors", "y": "a.safetensors", "z": "b.safetensors"}}))
    assert weight_files(find("name", str(tmp_path))) == (directory / "a.safetensors", directory / "b.safetensors")


def test_a_shard_that_is_missing_is_named(tmp_path: Path) -> None:
    directory = put(tmp_path / "name", "a.safetensors")
    index = directory / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}))
    with pytest.raises(ModelUnavailable, match=r"no file \S+/b\.safetensors$"):
        weight_files(find("name", str(tmp_path)))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"weight_map": []}'])
def test_an_index_that_is_none_is_named(tmp_path: Path, content: str) -> None:
    directory = put(tmp_path / "name", "a.safetensors")
    (directory / "model.safetensors.index.json").write_text(content)
    with pytest.raises(ModelDamaged, match="no index of shards"):
        weight_files(find("name", str(tmp_path)))
