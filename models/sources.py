"""Find a model under a source: a directory on some drive, laid out as a Hub cache or as plain copies.

A source stands for the drive to measure, so no model is ever fetched into it. Knows nothing of timing.
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
"""The source for a model that `resolve` may find anywhere, or fetch."""
SINGLE: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"


def find(name: str, source: str = DEFAULT) -> ModelFiles:
    """Return the files of a model under a source.

    Args:
        name: Hub id (`org/name`, `org/name@revision`), `builtin://…`, or a directory, of whose path the last part or
            the last two parts count. Each may end in `#file.gguf`.
        source: `default`, or a directory that holds the model as `org/name`, as `name`, or as a Hub cache does, itself
            or in `hub`. A revision is searched in Hub caches only. A plain copy does not say its revision: the
            fingerprint of its content is its revision.

    Raises:
        ModelNameError: the name is not valid.
        ModelUnavailable: the source does not hold the model. The message names the paths that were searched.
    """
    if source == DEFAULT:
        return resolve(name)
    root = Path(os.path.expanduser(source))  # noqa: PTH111 - pathlib raises for an unknown user
    if not os.path.isdir(root):  # noqa: PTH112 - never raises, also for a name that is too long
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
    """Return the files that a load reads, each once, with symbolic links followed.

    Other safetensors files in the directory are left out: some repositories hold the weights twice, split in two ways.

    Raises:
        ModelUnavailable: a weight file is missing.
        ModelDamaged: the index of the weight files cannot be read.
    """
    paths = {files.directory / name for name in _weight_names(files)}
    if missing := sorted(str(path) for path in paths if not path.is_file()):
        raise ModelUnavailable(f"model {files.name!r}: no file {', '.join(missing)}")
    return tuple(sorted({path.resolve() for path in paths}))


def _places(root: Path, name: ModelName) -> Iterator[tuple[Path, str | None]]:
    """Yield the directories where the model may be, each with the revision that it holds there; None if unknown."""
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
    """Return the directory and the commit of a revision. A branch or tag is a file in `refs` that holds its commit."""
    reference = repository / "refs" / revision
    commit = reference.read_text().strip() if reference.is_file() else revision
    return repository / "snapshots" / commit, commit


def _weight_names(files: ModelFiles) -> set[str]:
    """Return the names of the weight files, those of the index where there is one."""
    if files.gguf_file is not None:
        return {files.gguf_file}
    index = files.directory / INDEX
    if (files.directory / SINGLE).is_file() or not index.is_file():
        return {SINGLE}
    try:
        return set(json.loads(index.read_bytes())["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelDamaged(f"model {files.name!r}: {index} is no index of shards ({error!r})") from error
