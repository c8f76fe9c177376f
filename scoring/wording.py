"""How messages of this package show values: escaped for a terminal, cut, with the nearest allowed name.

Settings that a user writes say what is wrong with them in these words, never in those of pydantic. Knows nothing of
corpora or scores.
"""

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError, ValidatorFunctionWrapHandler, model_validator

SHOWN_CHARACTERS: Final = 60
"""Of one value in a message."""
SHOWN_ITEMS: Final = 8
"""Of a list in a message; the rest is counted."""


def utf8(text: str) -> str:
    """The same text where UTF-8 can hold it; half a surrogate pair becomes its escape, as in `Zo\\udceb`."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def printable(value: object, longest: int = SHOWN_CHARACTERS) -> str:
    """A value for a terminal: control characters escaped, long ones cut."""
    text = str(value)
    text = f"{text[: longest - 1]}…" if len(text) > longest else text
    escaped = (char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return "".join(escaped)


def quoted(value: object) -> str:
    """A value in quotes, where its blanks matter."""
    return f"'{printable(value)}'"


def listed(items: Iterable[object], most: int = SHOWN_ITEMS) -> str:
    """Items with commas; what is beyond `most` is counted."""
    texts = [printable(item, longest=200) for item in items]
    rest = len(texts) - most
    return ", ".join(texts[:most]) + (f", … and {rest} more" if rest > 0 else "")


def counted(counts: Mapping[str, int], most: int = SHOWN_ITEMS) -> str:
    """`human 20, synthetic 18`: the most frequent first."""
    by_count = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return listed((f"{printable(name)} {count}" for name, count in by_count), most)


def plural(count: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def did_you_mean(name: str, known: Collection[str]) -> str:
    """A hint in brackets with the nearest known name, or nothing."""
    close = closest(name, known)
    return f" (did you mean {quoted(close)}?)" if close is not None else ""


def closest(name: str, known: Collection[str]) -> str | None:
    """The known name that differs from `name` by case, blanks, or a few characters."""
    by_key = {other.strip().casefold(): other for other in known if other != name}
    found = difflib.get_close_matches(name.strip().casefold(), by_key, n=1)
    return by_key[found[0]] if found else None


class Settings(BaseModel):
    """A table of a user's file: unknown keys and wrong values are told in our words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="wrap")
    @classmethod
    def _explain_mistakes(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        return validate_or_explain(value, handler, cls.model_fields)


def validate_or_explain(value: Any, handler: Callable[[Any], Any], allowed: Collection[str] = ()) -> Any:
    """Validate, and tell the first mistake as one that a user understands.

    Raises:
        ValueError: the key, what was seen, and what is allowed.
    """
    try:
        return handler(value)
    except ValidationError as error:
        raise ValueError(_explanation(error.errors()[0], allowed)) from None


def _explanation(detail: Any, allowed: Collection[str]) -> str:
    places, kind, context = [str(place) for place in detail["loc"]], detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        message = str(context["error"])
        return f"{'.'.join(places)}: {message}" if places else message
    if kind == "extra_forbidden":
        return (
            f"key {quoted(places[-1])} is unknown{did_you_mean(places[-1], allowed)}; allowed are {listed(allowed, 20)}"
        )
    if kind == "missing":
        return f"key {quoted(places[-1])} is missing"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        key, modes = context["discriminator"].strip("'"), context.get("expected_tags", "")
        if kind == "union_tag_not_found":
            return f"key {quoted(key)} is missing; it says how to cut, as in {key} = 'whole'"
        names = [mode.strip(" '") for mode in modes.split(",")]
        hint = did_you_mean(context["tag"], names)
        return f"{key} {quoted(context['tag'])} is unknown{hint}; allowed are {listed(names)}"
    place = ".".join(part for part in places if part not in _BRANCHES)
    return f"{place + ': ' if place else ''}seen {printable(repr(detail['input']))}; {_requirement(kind, context)}"


_BRANCHES: Final = ("str", "int", "float", "bool", "tuple[str, ...]", "constrained-str", "tuple[constrained-str, ...]")
"""Names that pydantic gives to the members of a union."""


def _requirement(kind: str, context: Mapping[str, Any]) -> str:
    match kind:
        case "string_type":
            return "text in quotes is needed"
        case "string_too_short":
            return "it must not be empty"
        case "too_short":
            return f"at least {context['min_length']} is needed"
        case "int_type" | "int_parsing" | "int_from_float":
            return "a whole number is needed"
        case "int_parsing_size":
            return "the number is too large"
        case "greater_than_equal":
            return f"{context['ge']} or more is needed"
        case "less_than_equal":
            return f"{context['le']} or less is needed"
        case "tuple_type" | "list_type":
            return "a list in brackets is needed"
        case "dict_type" | "model_type" | "model_attributes_type":
            return "a table is needed, as in { key = 'value' }"
        case "literal_error":
            return f"allowed are {context['expected']}"
        case _:
            return f"it is not allowed ({kind.replace('_', ' ')})"
