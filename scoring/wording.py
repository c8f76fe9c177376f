"""Values in messages: escaped for a terminal, shortened, and with the closest allowed name.

Mistakes in a user's settings are explained in these words instead of pydantic's. Knows neither corpora nor scores.
"""

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError, ValidatorFunctionWrapHandler, model_validator

SHOWN_CHARACTERS: Final = 60
"""Characters of a value in a message."""
SHOWN_ITEMS: Final = 8
"""Items of a list in a message. The other items are counted."""


def utf8(text: str) -> str:
    """Replace each half of a surrogate pair, which UTF-8 cannot hold, by its escape, as in `Zo\\udceb`."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def printable(value: object, longest: int = SHOWN_CHARACTERS) -> str:
    """Return the value as text for a terminal: control characters escaped, and cut to `longest` characters."""
    text = str(value)
    text = f"{text[: longest - 1]}…" if len(text) > longest else text
    escaped = (char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return "".join(escaped)


def quoted(value: object) -> str:
    """Return the value as printable text in quotes, which show blanks at its ends."""
    return f"'{printable(value)}'"


def listed(items: Iterable[object], most: int = SHOWN_ITEMS) -> str:
    """Join up to `most` items with commas, and count the others."""
    texts = [printable(item, longest=200) for item in items]
    rest = len(texts) - most
    return ", ".join(texts[:most]) + (f", … and {rest} more" if rest > 0 else "")


def counted(counts: Mapping[str, int], most: int = SHOWN_ITEMS) -> str:
    """Return counts as `human 20, synthetic 18`, the largest first."""
    by_count = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return listed((f"{printable(name)} {count}" for name, count in by_count), most)


def plural(count: int, noun: str) -> str:
    """Return `1 row` or `2 rows`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Return a hint in brackets with the closest known name; empty where no name is close."""
    close = closest(name, known)
    return f" (did you mean {quoted(close)}?)" if close is not None else ""


def closest(name: str, known: Collection[str]) -> str | None:
    """Return the known name that differs from `name` by case, blanks, or a few characters; else None."""
    by_key = {other.strip().casefold(): other for other in known if other != name}
    found = difflib.get_close_matches(name.strip().casefold(), by_key, n=1)
    return by_key[found[0]] if found else None


class Settings(BaseModel):
    """Base of the tables of a user's file. Unknown keys and wrong values are explained in plain words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="wrap")
    @classmethod
    def _explain_mistakes(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        return validate_or_explain(value, handler, cls.model_fields)


def validate_or_explain(value: Any, handler: Callable[[Any], Any], allowed: Collection[str] = ()) -> Any:
    """Validate with `handler`, and explain the first mistake in plain words.

    Args:
        value: What the user wrote.
        handler: Validates it, as pydantic passes it to a wrap validator.
        allowed: The allowed keys, for the message about an unknown key.

    Raises:
        ValueError: the value is wrong; the message has the key, what was seen, and what is allowed.
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
"""Names of union members in the locations of pydantic's errors. They are no keys of the user."""


def _requirement(kind: str, context: Mapping[str, Any]) -> str:
    """Say which values are allowed where pydantic found a mistake of this kind."""
    match kind:
        case "string_type":
            return "text in quotes is needed"
        case "string_too_short":
            return "it must not be empty"
        case "too_short":
            return f"at least {context['min_length']} is needed"
        case "bool_type" | "bool_parsing":
            return "true or false is needed"
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
