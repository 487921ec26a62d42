"""What a wizard asks, read from the JSON Schema of the settings."""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from connector.config.messages import unknown_name
from connector.config.schema import CONFIGURATION, Schema
from connector.extension.secret import REFERENCE
from connector.model.errors import InputError

Path = tuple[str, ...]
BETWEEN_REFERENCES = re.compile(r"\s*,\s*(?=(?:env|file|keyring):)")
"""A comma in a file's name is none of these."""
HEXADECIMAL = re.compile(r"[0-9A-Fa-f]+")
YES, NO = ("yes", "y", "true", "1"), ("no", "n", "false", "0")


@dataclass(frozen=True, slots=True)
class Subject:
    """What is set up: one use of what a plugin offers, under a name of the user's own."""

    table: Literal["integrations", "sinks"]
    key: Literal["provider", "sink"]
    """The setting that says what is used."""
    kind: str
    """The name that the plugin gives it."""
    name: str

    @property
    def path(self) -> Path:
        """Where it stands in the configuration."""
        return (self.table, self.name)

    @property
    def schema(self) -> str:
        """The name of the schema of its settings."""
        return f"{self.table.removesuffix('s')}.{self.kind}"

    def in_keyring(self, key: str) -> str:
        """What a secret of it is called in a keyring; an integration and a sink may have the same name."""
        return f"{self.name}.{key}" if self.table == "integrations" else f"{self.table}.{self.name}.{key}"


@dataclass(frozen=True, slots=True)
class Question:
    """One setting, as a person is asked for it."""

    path: Path
    """Where the answer stands in the configuration."""
    title: str
    description: str
    kind: str
    """The type of JSON Schema: string, integer, number, boolean, array, object (a table of texts)."""
    choices: tuple[str, ...] = ()
    """What it may be; of an array, what may be in it."""
    default: Any = None
    example: Any = None
    secret: bool = False
    """The answer is a reference to a secret."""
    hidden: bool = False
    """What is typed is not shown, nor what is there already."""

    several: bool = False
    """Whether a secret may also be a list of such."""

    @property
    def key(self) -> str:
        return self.path[-1]

    def references(self, text: str) -> list[str]:
        """Where a secret is found, as it was typed: in one place, or with commas in several where it may be."""
        return BETWEEN_REFERENCES.split(text) if self.several else [text]

    def read(self, text: str) -> Any:
        """What was typed, as the kind of value that is asked for; as it was typed where it isn't one.

        Raises `InputError` for a table that is written in no way.
        """
        match self.kind:
            case "integer" | "number":
                return _number(text, whole=self.kind == "integer")
            case "boolean" if text.lower() in (*YES, *NO):
                return text.lower() in YES
            case "array":
                return [part.strip() for part in text.split(",") if part.strip()]
            case "object":
                return _table(text)
            case _:
                references = self.references(text)
                return references if len(references) > 1 else text


def suggested_variable(name: str, key: str) -> str:
    """What the environment variable with a secret of an integration or sink may be called."""
    return re.sub(r"\W+", "_", f"{name}_{key}").upper()


def looks_like_secret(name: str) -> bool:
    """Whether what was given as a variable's name is rather the secret itself, pasted by reflex."""
    if os.environ.get(name):
        return False
    digit, letter = any(map(str.isdigit, name)), any(map(str.isalpha, name))
    if len(name) >= 16 and "_" not in name and ((digit and letter) or HEXADECIMAL.fullmatch(name)):
        return True
    return len(name) > 20 and digit and any(map(str.islower, name))


def _number(text: str, *, whole: bool) -> Any:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return text if whole else float(text)
    except ValueError:
        return text


def _table(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if not all(name.strip() and equals for name, equals, _ in pairs):
        raise InputError("Write NAME=VALUE, with commas between several.")
    return {name.strip(): value.strip() for name, _, value in pairs}


@dataclass(frozen=True, slots=True)
class Way:
    """One of several sets of settings that do the same, such as a token, or a key with its secret."""

    title: str
    keys: tuple[str, ...]
    excluded: frozenset[str]
    """Settings that can't stand beside these."""
    choices: Mapping[str, tuple[str, ...]]
    """What other settings may be, where that is less than elsewhere."""

    def narrowed(self, question: "Question") -> "Question":
        """A question with the choices that this way leaves."""
        return replace(question, choices=self.choices.get(question.key, question.choices))


@dataclass(frozen=True, slots=True)
class Form:
    """What the settings of a provider or sink ask for."""

    required: tuple[Question, ...]
    """In every case."""
    ways: tuple[Way, ...]
    """Of these exactly one; none: there is nothing to choose."""
    of_ways: Mapping[str, Question]
    """What the ways ask for."""
    optional: tuple[Question, ...]
    together: Mapping[str, tuple[str, ...]]
    """A setting to those that it needs beside it."""


class Schemas:
    """The composed schemas, as questions."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._schemas = schemas

    def form(self, subject: Subject) -> Form:
        """What is asked of its settings."""
        schema = self._schemas[subject.schema]
        ways = tuple(_ways(schema))
        of_ways = {key for way in ways for key in way.keys}
        required = {key for key in schema["properties"] if _is_required(key, schema)} - of_ways
        asked = {
            key: _question((*subject.path, key), node, schema)
            for key, node in schema["properties"].items()
            if key != subject.key
        }
        return Form(
            required=tuple(each for key, each in asked.items() if key in required),
            ways=ways,
            of_ways={key: each for key, each in asked.items() if key in of_ways},
            optional=tuple(each for key, each in asked.items() if key not in required | of_ways),
            together={key: tuple(others) for key, others in schema.get("dependentRequired", {}).items()},
        )

    def is_table(self, key: str) -> bool:
        """Whether a name is one of a table of the configuration, such as [server]."""
        return key in self._schemas[CONFIGURATION]["properties"]

    def at(self, path: Path, subject: Subject) -> Question:
        """The setting at a path of the configuration. Raises `InputError`, naming the nearest that there is."""
        if path[0] == subject.table and len(path) > 2:
            return self._in(path, path[:2], self._schemas[subject.schema], path[2:])
        return self._in(path, (), self._schemas[CONFIGURATION], path)

    def _in(self, path: Path, before: Path, schema: Schema, left: Path) -> Question:
        node: Schema = schema
        for place, key in enumerate(left):
            node = _resolved(node, schema)
            properties = node.get("properties")
            if properties is None:
                further = node.get("additionalProperties")
                if not isinstance(further, dict):
                    raise InputError(f"{_dotted(before + left[:place])} is one setting; nothing stands inside it.")
                node = further
                continue
            if key not in properties:
                raise InputError(unknown_name(_dotted(path), _all_known(before + left[:place], properties), "setting"))
            node = properties[key]
        declared, node = node, _resolved(node, schema)
        if (node.get("type") == "object" or "properties" in node) and not _is_of_texts(node):
            known = node.get("properties", {})
            inside = f"{_dotted(path)}.{next(iter(known))}" if known else f"{_dotted(path)}.NAME"
            raise InputError(f"{_dotted(path)} is a table: name a setting in it, such as {inside}.")
        return _question(path, declared, schema)


def path_of(key: str) -> Path:
    """The path that a dotted key stands for, with quotes where a name needs them. Raises `InputError`."""
    try:
        node: Any = tomllib.loads(f"{key} = 0")
    except ValueError:
        node = None
    path: list[str] = []
    while isinstance(node, dict) and len(node) == 1:
        (name, node) = next(iter(node.items()))
        path.append(name)
    if node != 0 or not path:
        raise InputError(f'{key!r} names no setting; write one as region, or server.port, or senders."my shop".value.')
    return tuple(path)


def _dotted(path: Sequence[str]) -> str:
    return ".".join(path[2:] if len(path) > 2 and path[0] in ("integrations", "sinks") else path)


def _all_known(before: Path, properties: Mapping[str, Any]) -> list[str]:
    return [_dotted((*before, key)) for key in properties]


def _resolved(node: Schema, schema: Schema) -> Schema:
    """A schema without its reference, and of alternatives the one that takes a plain value."""
    while True:
        if "$ref" in node:
            target = schema["$defs"][node["$ref"].rpartition("/")[2]]
            node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
            continue
        branches = [each for each in (node.get("anyOf") or node.get("oneOf") or []) if each.get("type") != "null"]
        if not branches:
            return node
        about = {key: value for key, value in node.items() if key not in ("anyOf", "oneOf")}
        node = {**branches[0], **about}


def _is_of_texts(node: Schema) -> bool:
    """Whether a table has names of the user's own, each with a text."""
    further = node.get("additionalProperties")
    return not node.get("properties") and isinstance(further, dict) and further.get("type") == "string"


def _question(path: Path, node: Schema, schema: Schema) -> Question:
    several = any(each.get("items", {}).get("pattern") == REFERENCE for each in node.get("anyOf", ()))
    node = _resolved(node, schema)
    one = _resolved(node["items"], schema) if node.get("type") == "array" and "items" in node else node
    choices = one.get("enum", [one["const"]] if "const" in one else [])
    examples = node.get("examples", ())
    return Question(
        path,
        title=node.get("title") or path[-1].replace("_", " ").capitalize(),
        description=node.get("description", ""),
        kind=node.get("type", "string"),
        choices=tuple(map(str, choices)),
        default=node.get("default"),
        example=examples[0] if examples else None,
        secret=node.get("pattern") == REFERENCE,
        hidden=bool(node.get("writeOnly")) and node.get("pattern") != REFERENCE,
        several=several,
    )


def _is_required(key: str, schema: Schema) -> bool:
    branches = schema.get("oneOf") or schema.get("anyOf") or [{}]
    return key in schema.get("required", ()) or all(key in each.get("required", ()) for each in branches)


def _ways(schema: Schema) -> list[Way]:
    """The alternatives that a schema declares by what each requires."""
    branches = schema.get("oneOf") or schema.get("anyOf") or []
    if len(branches) < 2 or not all(each.get("required") for each in branches):
        return []
    properties = schema["properties"]
    everywhere = set.intersection(*(set(each["required"]) for each in branches))
    ways = []
    for each in branches:
        keys = tuple(key for key in each["required"] if key not in everywhere)
        title = each.get("title") or " and ".join(properties[key].get("title", key) for key in keys)
        beside = each.get("properties", {})
        ways.append(
            Way(
                title,
                keys,
                excluded=frozenset(key for key, node in beside.items() if node.get("type") == "null"),
                choices={key: tuple(node["enum"]) for key, node in beside.items() if "enum" in node},
            )
        )
    return ways
