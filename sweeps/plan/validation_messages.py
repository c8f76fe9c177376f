"""Mistakes that pydantic finds in a user's value, in the words of this project."""

from collections.abc import Mapping
from typing import Any, Final

_KINDS: Final[Mapping[str, str]] = {
    "string_type": "allowed is text in quotes",
    "int_type": "allowed is a whole number",
    "int_from_float": "allowed is a whole number",
    "float_type": "allowed is a number",
    "finite_number": "allowed is a number that is neither inf nor nan",
    "bool_type": "allowed is true or false, without quotes",
    "list_type": "allowed is a list, in square brackets",
    "tuple_type": "allowed is a list, in square brackets",
    "dict_type": "allowed is a table, in braces",
    "model_type": "allowed is a table, in braces",
    "model_attributes_type": "allowed is a table, in braces",
}
"""By the type of pydantic's error, where that says it all."""


MAX_SHOWN: Final = 200
"""Characters of a wrong value that a message shows."""


def shown(value: object) -> str:
    """Return a wrong value as a message shows it: not all of a long one."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def reason_of(detail: Any) -> str:
    """Say what is allowed where `detail`, one entry of `ValidationError.errors()`, found something else."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in _KINDS:
        return _KINDS[kind]
    match kind:
        case "greater_than_equal":
            return f"allowed is {context['ge']:,} or more"
        case "greater_than":
            return f"allowed is more than {context['gt']:,}"
        case "less_than_equal":
            return f"allowed is up to {context['le']:,}"
        case "less_than":
            return f"allowed is less than {context['lt']:,}"
        case "literal_error":
            return f"choose one of {context['expected'].replace(' or ', ', ')}"
        case "too_short":
            return f"allowed are {context['min_length']} entries or more, not {context['actual_length']}"
        case "too_long":
            return f"allowed are {context['max_length']} entries at most, not {context['actual_length']}"
    message = str(detail["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
