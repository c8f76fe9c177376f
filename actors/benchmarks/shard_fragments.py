"""The fragments of a corpus shard, read and cut on the worker's node, and the identity columns of their rows."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import product
from typing import Final

from pydantic import TypeAdapter

from actors.benchmarks.base import OOM_ITEM
from actors.benchmarks.corpora import CORPUS
from scoring.corpora.corpus import Shard, read_rows, records_of
from scoring.corpora.records import Record
from scoring.errors import CorpusChanged, CorpusUnavailable
from scoring.fragment_settings import longest_in_tokens
from scoring.fragments import Fragment, FragmentSettings, TokenSpans, cut, uncut
from scoring.results import FragmentOrigin
from sweeps.errors import InputElsewhere, InputUnreached
from sweeps.metric_columns import FRAGMENT
from sweeps.task import Level, Row, TaskShard

ROOM_TOKENS: Final = 3
"""Tokens of a fragment beyond those asked for: a bos token, and its first and last word divided otherwise."""
FRAGMENTS: Final[TypeAdapter[FragmentSettings]] = TypeAdapter(FragmentSettings)


def shard_fragments(
    shard: TaskShard, corpus: Level, fragments: Level, token_spans: TokenSpans | None = None
) -> Iterator[Fragment]:
    """Yield the fragments of a shard that are still to be scored.

    Args:
        shard: rows of a corpus, or the address of these rows.
        corpus: level of the factor `corpus`.
        fragments: level of the factor `fragments`.
        token_spans: of the pair's tokenizer; needed where `fragments` counts in tokens.

    Raises:
        InputElsewhere: this node cannot see the shard's file, or has another file of that name.
        InputUnreached: the shard is of a dataset of the Hub, which this node does not reach.
    """
    settings = FRAGMENTS.validate_python(fragments)
    for record in _records(shard, corpus):
        for fragment in cut(record, settings, token_spans).fragments:
            if shard.remaining is None or fragment_key(fragment) in shard.remaining:
                yield fragment


def failed_fragments(shard: TaskShard, corpus: Level, fragments: Level, model: str) -> Iterator[Fragment]:
    """Yield the fragments of a shard that are still to be scored, for a task that failed, maybe before it had a model.

    Where lengths are in tokens, the model's tokenizer is read. Where that fails, the places of the fragments are
    not known: each text has one, with the reason `not_cut`, or as many as are known to remain.

    Raises:
        InputElsewhere, InputUnreached: as `shard_fragments` does.
    """
    in_tokens = FRAGMENTS.validate_python(fragments).in_tokens
    spans = token_spans_of(model) if in_tokens else None
    if spans is not None or not in_tokens:
        yield from shard_fragments(shard, corpus, fragments, spans)
        return
    for record in _records(shard, corpus):
        for fragment in uncut(record):
            yield from [fragment] if shard.remaining is None else _remaining_of(fragment, shard.remaining)


@lru_cache(maxsize=4)
def token_spans_of(model: str) -> TokenSpans | None:
    """Return a function that tells where the tokens of a text are; None where the model's tokenizer cannot be read.

    Only the tokenizer is read. The answer is kept, also None: every task of a run that fails asks.
    """
    from models.errors import ModelError
    from models.resolve import resolve_tokenizer
    from models.tokenizer import read_tokenizer
    from scoring.tokens import token_spans

    try:
        spans: TokenSpans = partial(token_spans, read_tokenizer(resolve_tokenizer(model)))
        spans("a")  # a slow tokenizer raises here
    except (ModelError, OSError, ImportError):
        return None
    return spans


def _remaining_of(uncut_text: Fragment, remaining: frozenset[str]) -> Iterator[Fragment]:
    """Yield the null fragments that remain of an author's texts, once for all texts of the author."""
    if uncut_text.fragment_index:
        return
    for index in sorted({json.loads(key)[-1] for key in remaining}):
        fragment = replace(uncut_text, fragment_index=index)
        if fragment_key(fragment) in remaining:
            yield fragment


def _records(shard: TaskShard, corpus: Level) -> Iterator[Record]:
    try:
        rows = list(read_rows(shard.content)) if isinstance(shard.content, Shard) else shard.content
    except CorpusUnavailable as error:
        raise InputUnreached(str(error)) from error
    except CorpusChanged as error:  # changed, or another file of that name here: only the driver's node can tell
        raise InputElsewhere(str(error)) from error
    except OSError as error:
        raise InputElsewhere(unreadable(shard.content, error)) from error
    yield from records_of(CORPUS.validate_python(corpus), rows)


def unreadable(shard: Shard, error: OSError) -> str:
    """Return the message on a shard's file that cannot be read any more."""
    reason = error.strerror or error
    return f"{shard.file}: was there when the run was planned, and cannot be read now ({reason}); put it back"


def fragment_key(fragment: Fragment | FragmentOrigin) -> str:
    """Return a fragment's name, which is unique in its corpus."""
    return json.dumps([fragment.record_id, fragment.author, fragment.generator, fragment.fragment_index])


def refuse_longer(fragments: Level, max_tokens: int) -> None:
    """Refuse fragments and prefixes that are longer than the texts that are scored.

    Raises:
        ValueError: the level `fragments` asks for more than `max_tokens` tokens.
    """
    settings = FRAGMENTS.validate_python(fragments)
    longest = longest_in_tokens(settings) or 0
    if longest <= max_tokens:
        return
    what, mend = "fragments", "ask for shorter fragments"
    if settings.mode == "prefix":
        what, mend = "prefixes", "take the longer prefixes out"
    raise ValueError(
        f"fragments ask for {what} of up to {longest} tokens, and max_tokens cuts texts at {max_tokens}: raise "
        f"max_tokens, or {mend}"
    )


def tight_fragments(fragments: Sequence[Level], max_tokens: Sequence[Level]) -> Iterator[str]:
    """Yield a warning for each pair of levels with which some fragments lose their last tokens.

    Args:
        fragments: levels of the factor `fragments`.
        max_tokens: levels of the factor `max_tokens`.
    """
    for level, most in product(fragments, max_tokens):
        settings = FRAGMENTS.validate_python(level)
        longest = None if settings.mode == "prefix" else longest_in_tokens(settings)
        if longest is not None and longest <= int(most) < longest + ROOM_TOKENS:  # type: ignore[arg-type]
            yield (
                f"factors.fragments asks for up to {longest} tokens, and max_tokens {most} leaves no room for special "
                "tokens such as bos, nor for words that are divided otherwise where a fragment is read alone: such "
                f"fragments may lose their last tokens, and their rows then say truncated; give max_tokens = "
                f"[{longest + ROOM_TOKENS}] or more, or ask for shorter fragments"
            )


def without_result(rows: Sequence[Row], result: str) -> Counter[str]:
    """Count the rows without a result, such as a score, by the reason that the run's summary gives."""
    return Counter(f"rows without a {result}, {row['null_reason']}" for row in rows if row.get("null_reason"))


def left_over(rows: Sequence[Row]) -> Counter[str]:
    """Count the words of records that are in no fragment, by the reason that the run's summary gives."""
    unpaired = {(row.get("record_id"), row.get("author")): row.get("unpaired_words") or 0 for row in rows}
    dropped = {row.get("record_id"): row.get("dropped_words") or 0 for row in rows}
    counts = Counter[str]()
    for (_, author), words in unpaired.items():
        counts[f"words left over after the record's shortest text ended, {author or 'unknown'}"] += words
    counts["words left over, too few for the next fragment"] = sum(dropped.values()) - sum(unpaired.values())
    return counts


def oom_row(origin: FragmentOrigin, status: str) -> Row:
    """Return the row of a fragment that ran out of memory; its metrics stay null."""
    return identity(origin) | {"status": status, OOM_ITEM: fragment_key(origin)}


def identity(origin: FragmentOrigin) -> Row:
    """Return the identity columns of a fragment's row."""
    return {name: getattr(origin, name) for name in FRAGMENT}
