"""Where a model lies under a source: a directory on some drive, laid out as a Hub cache or as plain copies.

A source stands for the drive that is to be measured, so nothing is ever fetched for it. Knows nothing of timing.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from models.errors import ModelDamaged, ModelUnavailable
from models.fingerprint import fingerprint
from models.names import BUILTIN, ModelName, parse
from models.resolve import ModelFiles, resolve

DEFAULT: Final = "default"
"""The source that is wherever `resolve` finds or fetches the model."""
SINGLE: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"


def find(name: str, source: str = DEFAULT) -> ModelFiles:
    """The files of a model under a source.

    Args:
        name: Hub id (`org/name`, `org/name@revision`), `builtin://…`, a directory, of which the last or the
            last two parts of the path count; each may end in `#file.gguf`.
        source: `default`, or a directory that holds the model as `org/name` or `name`, or as a Hub cache does,
            itself or in `hub`. A revision is looked for in Hub caches only: a plain copy does not say which it is of,
            and has the fingerprint of its content for one.

    Raises:
        ModelNameError: it is no name.
        ModelUnavailable: it is not there; the message names the paths that were looked at.
    """
    if source == DEFAULT:
        return resolve(name)
    root = Path(os.path.expanduser(source))  # noqa: PTH111 - raises for no `~`, whoever's it is
    if not os.path.isdir(root):  # noqa: PTH112 - raises for no name, however long
        raise ModelUnavailable(f"source {source!r}: no such directory on this machine")
    parsed = parse(name)
    looked_at = []
    for directory, revision in _places(root, parsed):
        files = ModelFiles(name, directory, parsed.gguf_file, revision, parsed.runs_code)
        if any(path.is_file() for path in files.weights):
            return files if revision is not None else replace(files, revision=fingerprint(files))
        looked_at.append(str(directory))
    what = parsed.gguf_file or "*.safetensors"
    raise ModelUnavailable(
        f"model {name!r} is not in source {source!r}: no {what} in {', '.join(looked_at)}; "
        "copy it into one of them (nothing is downloaded into a source)"
    )


def weight_files(files: ModelFiles) -> tuple[Path, ...]:
    """The files that a load reads, symbolic links followed, each once.

    Not every safetensors file beside them is one: some repositories hold the weights a second time, in another split.

    Raises:
        ModelUnavailable: one that must be there is not.
        ModelDamaged: the index of the shards cannot be read.
    """
    paths = {files.directory / name for name in _weight_names(files)}
    if missing := sorted(str(path) for path in paths if not path.is_file()):
        raise ModelUnavailable(f"model {files.name!r}: no file {', '.join(missing)}")
    return tuple(sorted({path.resolve() for path in paths}))


def _places(root: Path, name: ModelName) -> Iterator[tuple[Path, str | None]]:
    """Directories where the model may be, and which revision it is there."""
    if name.is_path or name.place.startswith(BUILTIN):
        path = Path(name.directory.removeprefix(BUILTIN))
        yield root / path.parent.name / path.name, None
        if path.parent.name:
            yield root / path.name, None
        return
    for cache in (root, root / "hub"):
        yield _snapshot(cache / f"models--{name.place.replace('/', '--')}", name.revision or "main")
    if name.revision is None:
        yield root / name.place, None
        if "/" in name.place:
            yield root / Path(name.place).name, None


def _snapshot(repository: Path, revision: str) -> tuple[Path, str]:
    """A branch or tag is a file that holds its commit; a commit is a directory of that name."""
    reference = repository / "refs" / revision
    commit = reference.read_text().strip() if reference.is_file() else revision
    return repository / "snapshots" / commit, commit


def _weight_names(files: ModelFiles) -> set[str]:
    if files.gguf_file is not None:
        return {files.gguf_file}
    index = files.directory / INDEX
    if (files.directory / SINGLE).is_file() or not index.is_file():
        return {SINGLE}
    try:
        return set(json.loads(index.read_bytes())["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelDamaged(f"model {files.name!r}: {index} is no index of shards ({error!r})") from error
