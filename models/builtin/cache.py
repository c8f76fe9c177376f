"""Tiny models and a corpus that need no network: built on first use into the user's cache, in Hugging Face format.

The models are made by build.py after recipe.py; torch is imported only when something has to be built. A build
directory is whole or absent: the one process that holds the lock renames it into place once every file of it is on
disk.

Weights are the same again for the same versions and kind of CPU; machines that must agree to the last bit share
one `XDG_CACHE_HOME`.
"""

import json
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from filelock import FileLock

from models.builtin.recipe import RECIPE, Recipe
from models.errors import ModelUnavailable
from models.names import BUILT_IN

MODELS: Final[tuple[str, ...]] = BUILT_IN
BUILD_ID: Final[str] = RECIPE.build_id


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def model_directory(name: str) -> Path:
    """Return the directory of one of `MODELS`, built if absent.

    Raises:
        ModelUnavailable: no such built-in model, or nowhere to build it.
    """
    if name not in MODELS:
        raise ModelUnavailable(f"no built-in model {name!r}; built in are {', '.join(MODELS)}")
    return ensure_built() / name


def docs_path() -> Path:
    """Return the file of the corpus `builtin://docs`, built if absent.

    JSONL of id, dataset, generator, source, human, synthetic.
    """
    return ensure_built() / "docs.jsonl"


def sample_text(words: int, seed: int) -> str:
    """Return `words` blank-separated words of human prose from the corpus; another seed starts elsewhere."""
    if words < 1:
        raise ValueError(f"words must be at least 1, not {words}")
    records = _human_words(docs_path())
    draw = random.Random(seed)
    order = draw.sample(range(len(records)), len(records))
    start = draw.randrange(len(records[order[0]]))
    text = records[order[0]][start:]
    while len(text) < words:  # round and round: any length can be had
        order.append(order.pop(0))
        text.extend(records[order[0]])
    return " ".join(text[:words])


def ensure_built(announce: Callable[[str], None] = _say, recipe: Recipe = RECIPE) -> Path:
    """Return the root of the build, made if absent; `announce` is called once before this or another process builds.

    Raises:
        ModelUnavailable: the cache cannot be written.
    """
    root = cache_directory() / recipe.build_id
    if root.is_dir():
        return root
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        announce(f"building the built-in models in {root}, once: about a minute on two cores")
        with FileLock(root.with_suffix(".lock")):
            if not root.is_dir():  # else another process built it while this one waited
                _build_into(root, recipe)
    except OSError as error:
        raise ModelUnavailable(
            f"cannot build the built-in models in {root}: {error.strerror or error}; "
            "set XDG_CACHE_HOME to a directory that can be written and has 20 MB left"
        ) from error
    return root


def cache_directory() -> Path:
    """Return `$XDG_CACHE_HOME/sweeps`, or `~/.cache/sweeps`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sweeps"


def _build_into(root: Path, recipe: Recipe) -> None:
    """Build beside `root` and rename; the caller holds the lock, so any other half build is a dead one's."""
    from models.builtin.build import build

    prefix = f".building-{root.name}-"
    for leftover in root.parent.glob(f"{prefix}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    half = Path(tempfile.mkdtemp(prefix=prefix, dir=root.parent))
    try:
        build(recipe, half)
        for path in (*half.rglob("*"), half):
            _to_disk(path)
        half.chmod(0o755)
        half.rename(root)
        _to_disk(root.parent)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _to_disk(path: Path) -> None:
    """fsync a file, or a directory's entries: after a power cut the rename must not outlive what it names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@cache
def _human_words(docs: Path) -> list[list[str]]:
    with docs.open(encoding="utf-8") as lines:
        return [json.loads(line)["human"].split() for line in lines]
