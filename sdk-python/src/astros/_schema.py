"""Settings and their JSON Schema: defaults, text from the environment, what does not fit. No I/O but one file."""

from __future__ import annotations

import json
import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PREFIXES = ("LOCALAGENT_", "ASTROS_")  # the later one holds
SIZES = {"": 1, "K": 1000, "KI": 1024, "M": 1000**2, "MI": 1024**2, "G": 1000**3, "GI": 1024**3, "T": 1000**4}
SECRETS = ("api_key", "apikey", "access_key", "private_key", "secret_key", "token", "password", "passphrase", "secret")
KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list, tuple),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def read_schema(folder: str) -> dict[str, Any] | None:
    """`config_schema.json` or `config/schema.json` of a folder or the one above it; lines of comment are left out."""
    for place in (folder, os.path.dirname(folder)):
        for name in ("config_schema.json", "config/schema.json"):
            try:
                with open(os.path.join(place, name), encoding="utf-8") as file:
                    lines = [line for line in file if not line.lstrip().startswith(("#", "//"))]
            except OSError:
                continue
            schema = json.loads("".join(lines))
            return schema if isinstance(schema, dict) else None
    return None


def with_secrets(schema: dict[str, Any] | None) -> dict[str, Any] | None:
    """The schema, in which texts whose names say that they are secrets are `writeOnly`, unless it says itself."""
    known = _properties(schema)
    if schema is None or not known:
        return schema
    return {**schema, "properties": {**schema["properties"], **{name: _hidden(name, known[name]) for name in known}}}


def _hidden(name: str, about: dict[str, Any]) -> dict[str, Any]:
    kinds = about.get("type", "string")
    is_text = kinds == "string" or (isinstance(kinds, list) and "string" in kinds)
    if is_text and name.lower().replace("-", "_").endswith(SECRETS):
        return {"writeOnly": True, **about}
    return with_secrets(about) or about


def defaults(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """The defaults of a schema's properties; an object without one of its own has those of its members."""
    found: dict[str, Any] = {}
    for name, about in _properties(schema).items():
        if "default" in about:
            found[name] = json.loads(json.dumps(about["default"]))
        elif about.get("type") == "object" and (inner := defaults(about)):
            found[name] = inner
    return found


def from_environment(name: str, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """What `ASTROS_<NAME>_<SETTING>` and LocalAgent's prefix set for a plugin, typed by its schema."""
    known = {key.lower(): key for key in _properties(schema)}
    found = {}
    for prefix in PREFIXES:
        own = f"{prefix}{name.upper().replace('-', '_')}_"
        for variable, text in os.environ.items():
            if variable.startswith(own) and len(variable) > len(own):
                key = variable[len(own) :].lower()
                key = known.get(key, known.get(key.replace("_", "-"), key))
                found[key] = convert(text, _properties(schema).get(key))
    return found


def convert(text: str, about: Mapping[str, Any] | None) -> Any:
    """Text as the schema, or else the default, has it: true, 3, a,b or JSON; what does not fit stays the text it is.

    A number of the `format` `size` may have a unit: 100MB, 2GiB.
    """
    about = about or {}
    kinds = about.get("type", type(about.get("default")))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not isinstance(kinds, list):
        kinds = [next((name for name, types in KINDS.items() if kinds in types), "string")]
    word = text.strip().lower()
    for kind in kinds:
        if kind == "boolean" and word in ("true", "yes", "on", "1", "false", "no", "off", "0"):
            return word in ("true", "yes", "on", "1")
        if kind in ("integer", "number") and (number := _number(word, about.get("format") == "size")) is not None:
            return number if kind == "number" or isinstance(number, int) else text
        if kind == "array" and not word.startswith("["):
            return [convert(item.strip(), about.get("items")) for item in text.split(",") if item.strip()]
        if kind in ("array", "object") and word.startswith(("[", "{")):
            try:
                return json.loads(text)
            except ValueError:
                return text
    return text


def _number(word: str, is_size: bool) -> int | float | None:
    found = re.fullmatch(r"([-+]?[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?)\s*(?:(k|ki|m|mi|g|gi|t)?(b))?", word)
    if found is None or (found[3] and not is_size):
        return None
    number = float(found[1]) * SIZES[(found[2] or "").upper()]
    return int(number) if number.is_integer() and ("." not in found[1] or found[3]) else number


def problems(value: Any, schema: Mapping[str, Any], where: str = "") -> list[str]:
    """What does not fit, each with its JSON pointer; by `jsonschema` where it is installed."""
    try:
        import jsonschema  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return list(_problems(value, schema, where))
    validator = jsonschema.validators.validator_for(schema)(schema)
    return [f"`{''.join(f'/{part}' for part in one.path)}`: {one.message}" for one in validator.iter_errors(value)]


def _problems(value: Any, schema: Mapping[str, Any], where: str) -> Any:
    kinds = schema.get("type")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if isinstance(kinds, list) and not any(_is(value, kind) for kind in kinds):
        yield f"`{where}`: {value!r:.80} is not of type {' or '.join(kinds)}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"`{where}`: {value!r:.80} is not one of {schema['enum']!r}"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value < schema.get("minimum", value):
            yield f"`{where}`: {value} is less than the minimum of {schema['minimum']}"
        if value > schema.get("maximum", value):
            yield f"`{where}`: {value} is greater than the maximum of {schema['maximum']}"
    if isinstance(value, (list, tuple)) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            yield from _problems(item, schema["items"], f"{where}/{index}")
    if isinstance(value, dict):
        yield from (f"`{where}`: `{name}` is missing" for name in schema.get("required", ()) if name not in value)
        known = _properties(schema)
        for name, item in value.items():
            if name in known:
                yield from _problems(item, known[name], f"{where}/{name}")
            elif schema.get("additionalProperties") is False:
                yield f"`{where}/{name}`: there is no such setting"


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, KINDS.get(kind, (object,))) or (
        kind == "integer" and isinstance(value, float) and value.is_integer()
    )


def _properties(schema: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    found = (schema or {}).get("properties")
    return {name: about for name, about in found.items() if isinstance(about, dict)} if isinstance(found, dict) else {}
