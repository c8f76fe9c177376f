"""Keys, factors and benchmarks in words: what a field takes, its default and meaning; what a benchmark measures.

Reads the models that check a spec, so that the docs and `--explain` cannot say anything else. Code stands between
backticks, TOML values as a spec has them.
"""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sweeps.plan.declaration import Registry
from sweeps.plan.spec import Defaults

REQUIRED: Final = "must be given"
OPTIONAL: Final = "may be left out"
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_ONE: Final = {"string": "text", "integer": "whole number", "number": "number", "array": "list", "object": "table"}
"""By JSON type: a value in words."""

Schema = Mapping[str, Any]
"""JSON schema of a field."""


@dataclass(frozen=True)
class FieldHelp:
    """One key or factor, in words."""

    name: str
    values: str
    default: str
    meaning: str


def fields_of(model: type[BaseModel]) -> list[FieldHelp]:
    """Return the fields of a model in the order of their declaration."""
    schema = model.model_json_schema(by_alias=False)
    return [
        FieldHelp(
            name,
            _values(schema["properties"][name], schema.get("$defs", {})),
            _default(name, field),
            field.description or "",
        )
        for name, field in model.model_fields.items()
    ]


def summary_of(name: str, registry: Registry) -> str:
    """Return a benchmark's summary: the first paragraph of its module's docstring, or of its class's.

    The module's counts where it begins with the benchmark's name.
    """
    benchmark = type(registry[name])
    module = (sys.modules[benchmark.__module__].__doc__ or "").partition("\n\n")[0]
    is_of_one = module.startswith(f"{name}: ")
    text = module.removeprefix(f"{name}: ") if is_of_one else (benchmark.__doc__ or "").partition("\n\n")[0]
    return " ".join(text.split()).removesuffix(".")


def toml(value: object) -> str:
    """Write a value as a spec has it."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case list() | tuple():
            return f"[{', '.join(map(toml, value))}]"
        case Mapping():
            pairs = (f"{_key(str(key))} = {toml(level)}" for key, level in value.items())
            return f"{{ {', '.join(pairs)} }}" if value else "{}"
    return json.dumps(str(value), ensure_ascii=False)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else toml(key)


def _default(name: str, field: FieldInfo) -> str:
    if name in Defaults.model_fields:  # known only where the cluster is
        return Defaults.model_fields[name].description or ""
    if field.is_required():
        return REQUIRED
    default = field.get_default(call_default_factory=True)
    return OPTIONAL if default is None else f"`{toml(default)}`"


def _values(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    """Say which values a field takes, as far as its type tells."""
    match schema:
        case {"$ref": str(path)}:
            return _values(definitions[path.rpartition("/")[2]], definitions)
        case {"enum": list(levels)}:
            return ", ".join(f"`{toml(level)}`" for level in levels)
        case {"const": level}:
            return f"`{toml(level)}`"
        case {"anyOf": list(choices)} | {"oneOf": list(choices)}:
            return " or ".join(_values(choice, definitions) for choice in choices if choice.get("type") != "null")
        case {"type": "boolean"}:
            return "`true`, `false`"
        case {"type": "integer" | "number" as kind}:
            return _ONE[kind] + _bounds(schema)
        case {"type": "array"}:
            return _list(schema, definitions)
        case {"type": "object", "additionalProperties": {"type": "array"}}:
            return "table of lists"
    return _ONE.get(str(schema.get("type")), "any value")


def _bounds(schema: Schema) -> str:
    match schema:
        case {"minimum": least, "maximum": most}:
            return f", {least:,} to {most:,}"
        case {"minimum": least}:
            return f", {least:,} or more"
        case {"maximum": most}:
            return f", {most:,} at most"
        case {"exclusiveMinimum": least}:
            return f", more than {least:,}"
    return ""


def _list(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    items = schema.get("items", {})
    least, most = schema.get("minItems"), schema.get("maxItems")
    count = f" of {least}" if least is not None and least == most else ""
    entry = _values(items, definitions) if items else ""
    if entry not in _ONE.values():
        return f"list{count}"
    return f"list of {f'{least} ' if count else ''}{entry}s"
