"""The fragments of a corpus shard, read and cut on the worker's node, and the identity columns of their rows."""

import json
from collections.abc import Iterator
from typing import Final

from pydantic import TypeAdapter

from actors.benchmarks.base import OOM_ITEM
from actors.benchmarks.corpora import CORPUS
from scoring.corpora.corpus import Shard, read_rows, records_of
from scoring.errors import CorpusChanged, CorpusUnavailable
from scoring.fragments import Fragment, FragmentSettings, cut
from scoring.results import FragmentOrigin
from sweeps.errors import InputElsewhere, InputUnreached
from sweeps.schema import FRAGMENT
from sweeps.task import Level, Row, TaskShard

FRAGMENTS: Final[TypeAdapter[FragmentSettings]] = TypeAdapter(FragmentSettings)


def shard_fragments(shard: TaskShard, corpus: Level, fragments: Level) -> Iterator[Fragment]:
    """Yield the fragments of a shard that are still to be scored.

    Args:
        shard: rows of a corpus, or the address of these rows.
        corpus: level of the factor `corpus`.
        fragments: level of the factor `fragments`.

    Raises:
        InputElsewhere: this node cannot see the shard's file, or has another file of that name.
        InputUnreached: the shard is of a dataset of the Hub, which this node does not reach.
    """
    settings = FRAGMENTS.validate_python(fragments)
    try:
        rows = list(read_rows(shard.content)) if isinstance(shard.content, Shard) else shard.content
    except CorpusUnavailable as error:
        raise InputUnreached(str(error)) from error
    except CorpusChanged as error:  # changed, or another file of that name here: only the driver's node can tell
        raise InputElsewhere(str(error)) from error
    except OSError as error:
        raise InputElsewhere(unreadable(shard.content, error)) from error
    for record in records_of(CORPUS.validate_python(corpus), rows):
        for fragment in cut(record, settings).fragments:
            if shard.remaining is None or fragment_key(fragment) in shard.remaining:
                yield fragment


def unreadable(shard: Shard, error: OSError) -> str:
    """Return the message on a shard's file that cannot be read any more."""
    reason = error.strerror or error
    return f"{shard.file}: was there when the run was planned, and cannot be read now ({reason}); put it back"


def fragment_key(fragment: Fragment | FragmentOrigin) -> str:
    """Return a fragment's name, which is unique in its corpus."""
    return json.dumps([fragment.record_id, fragment.author, fragment.generator, fragment.fragment_index])


def oom_row(origin: FragmentOrigin, status: str) -> Row:
    """Return the row of a fragment that ran out of memory; its metrics stay null."""
    return identity(origin) | {"status": status, OOM_ITEM: fragment_key(origin)}


def identity(origin: FragmentOrigin) -> Row:
    """Return the identity columns of a fragment's row."""
    return {name: getattr(origin, name) for name in FRAGMENT}
