"""What is wrong with a document, in our own words: one table from the keyword of a schema to a sentence.

Neither the sentences of the libraries nor the values of fields that are `writeOnly` ever get out.
"""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from jsonschema import ValidationError as Violation
from pydantic import ValidationError

from connector.config.schema import Rules
from connector.extension.secret import REFERENCE
from connector.model.errors import Fault

KeyPath = tuple[str | int, ...]

LONGEST_SHOWN = 60
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
LOGIN = re.compile(r"://.*@", re.DOTALL)
TYPES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}


class Wrong(NamedTuple):
    """One thing that is wrong, before it is bound to a file."""

    path: KeyPath
    message: str


def faults(wrong: Iterable[Wrong], source: str) -> list[Fault]:
    """What is wrong as faults of `source`: each once, in the order of their places."""
    return [
        Fault(where, message, source) for where, message in sorted({(place(path), message) for path, message in wrong})
    ]


def place(path: KeyPath) -> str:
    """A path as a TOML key, with list positions counted from 0: `senders.shop.countries[1]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if BARE_KEY.fullmatch(part) else json.dumps(part, ensure_ascii=False)
            text += f".{key}" if text else key
    return text


def shown(value: Any) -> str:
    """A value that was found, short, on one line, without logins; of lists and tables only that they are."""
    match value:
        case str():
            text = LOGIN.sub("://...@", value)
            text = text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "..."
            return json.dumps(text, ensure_ascii=False)
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return f"a {type(value).__name__}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    folded = {_folded(name): name for name in known}
    close = difflib.get_close_matches(_folded(word), folded, n=1)
    return folded[close[0]] if close else None


def _folded(word: str) -> str:
    return word.lower().replace("-", "_")


def unknown_name(word: str, known: Sequence[str], what: str) -> str:
    """The sentence for a name that refers to nothing."""
    close = nearest(word, known)
    return f"Found {shown(word)}, but there is no such {what}; " + (
        f"did you mean {shown(close)}?" if close else f"known: {', '.join(map(shown, known)) or 'none'}."
    )


def sentence(text: str) -> str:
    """A text with a capital and a full stop, as a sentence has them."""
    first = text.split(maxsplit=1)[0]
    # A setting's name keeps its spelling.
    capital = text if "_" in first else text[:1].upper() + text[1:]
    return capital if capital.endswith((".", "?")) else f"{capital}."


class Inspection:
    """One document, held against its rules."""

    def __init__(self, rules: Rules, document: Any) -> None:
        self._rules = rules
        self._document = document
        self._hidden = set(self._secret_paths(rules.validator.schema, document, ()))

    def violations(self) -> list[Wrong]:
        """Everything in which the document breaks its schema, all at once."""
        return [
            wrong for error in self._rules.validator.iter_errors(self._document) for wrong in self._leaves(error, {})
        ]

    def validation(self, error: ValidationError, at: KeyPath = ()) -> list[Wrong]:
        """What the validators of a model found in the part of the document that stands at the path `at`."""
        wrong = []
        for detail in error.errors(include_url=False, include_input=False):
            path, value = self._followed((*at, *detail["loc"]))
            hidden = self.hidden(path)
            # A validator of ours, or of a plugin's author, speaks for itself; the library doesn't.
            text = str(detail["ctx"]["error"]) if detail["type"] == "value_error" else ""
            if not text or (hidden and str(value) in text):
                text = "this can't be used" if hidden else f"found {shown(value)}, which can't be used"
            wrong.append(Wrong(path, sentence(text)))
        return wrong

    def _followed(self, location: Sequence[str | int]) -> tuple[KeyPath, Any]:
        """The part of a model's location that is a path in the document: branches of unions are none."""
        value = self._document
        path: list[str | int] = []
        for part in location:
            here: Any = dict(enumerate(value)) if isinstance(value, list) else value
            if isinstance(here, dict) and part in here:
                value = here[part]
                path.append(part)
        return tuple(path), value

    def _leaves(self, error: Violation, outer: Mapping[str, Any]) -> Iterator[Wrong]:
        """What one violation says; of alternatives, what the likeliest one says."""
        notes = {key: outer[key] for key in ("description", "examples") if key in outer}
        schema = {**notes, **error.schema} if isinstance(error.schema, dict) else notes
        if error.validator == "oneOf" and isinstance(error.instance, dict) and _are_sets_of_keys(error.validator_value):
            yield from self._of_one_set(error, error.instance, schema)
            return
        if error.validator in ("anyOf", "oneOf") and error.context:
            branch = _likeliest(error)
            if branch:
                for leaf in branch:
                    yield from self._leaves(leaf, {} if leaf.relative_path else schema)
                return
        value: Any = error.instance
        path: KeyPath = tuple(error.absolute_path)
        if "propertyNames" in list(error.absolute_schema_path)[-2:-1]:
            path = (*path, value)
        yield from SENTENCES.get(str(error.validator), _value)(
            _Finding(self, path, value, schema, error.validator_value)
        )

    def _of_one_set(self, error: Violation, found: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Wrong]:
        """What is wrong where exactly one of several sets of keys is to be given."""
        path: KeyPath = tuple(error.absolute_path)
        branches: Any = error.validator_value
        sets: list[list[str]] = [branch["required"] for branch in branches]
        given = {key for keys in sets for key in keys if found.get(key) is not None}
        begun = [number for number, keys in enumerate(sets) if given.intersection(keys)]
        either = ", or ".join(_listed(keys) for keys in sets)
        if not begun:
            yield Wrong(path, f"Something is missing; give {either}.")
        elif len(begun) > 1:
            together = _listed([key for keys in sets for key in keys if key in given])
            yield Wrong(path, f"Found {together}, which don't go together; give {either}, and not both.")
        for violation in error.context or ():
            if begun != [violation.relative_schema_path[0]]:
                continue
            if violation.validator == "required":
                yield from _missing(_Finding(self, path, found, schema, violation.validator_value))
                continue
            reason = violation.schema.get("description", "") if isinstance(violation.schema, dict) else ""
            for wrong in self._leaves(violation, {}):
                yield Wrong(wrong.path, f"{wrong.message} {reason}".rstrip())

    def hidden(self, path: KeyPath) -> bool:
        """Whether a schema declares what stands at a path `writeOnly`."""
        return any(path[:length] in self._hidden for length in range(len(path) + 1))

    def _secret_paths(self, schema: Any, value: Any, path: KeyPath) -> Iterator[KeyPath]:
        """Where a document has what a schema declares `writeOnly`, also where it is not valid."""
        if not isinstance(schema, dict):
            return
        if schema.get("writeOnly"):
            yield path
        beside = [branch for key in ("allOf", "anyOf", "oneOf") for branch in schema.get(key, ())]
        if "$ref" in schema:
            beside.append(self._rules.resolve(schema["$ref"]))
        if "if" in schema:
            holds = self._rules.validator.evolve(schema=schema["if"]).is_valid(value)
            beside.append(schema.get("then" if holds else "else"))
        for branch in beside:
            yield from self._secret_paths(branch, value, path)
        if isinstance(value, dict):
            named = schema.get("properties", {})
            patterns = schema.get("patternProperties", {})
            for key, item in value.items():
                for branch in [
                    named.get(key) if key in named else schema.get("additionalProperties"),
                    *(pattern for expression, pattern in patterns.items() if re.search(expression, key)),
                ]:
                    yield from self._secret_paths(branch, item, (*path, key))
        elif isinstance(value, list):
            first = schema.get("prefixItems", [])
            for position, item in enumerate(value):
                branch = first[position] if position < len(first) else schema.get("items")
                yield from self._secret_paths(branch, item, (*path, position))

    def takes_secrets(self, schema: Any, seen: frozenset[str] = frozenset()) -> bool:
        """Whether a schema has anything `writeOnly` in it: then a value in the wrong shape may be a secret too."""
        if isinstance(schema, list):
            return any(self.takes_secrets(item, seen) for item in schema)
        if not isinstance(schema, dict):
            return False
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference not in seen:
            return self.takes_secrets([self._rules.resolve(reference), *schema.values()], seen | {reference})
        return schema.get("writeOnly") is True or self.takes_secrets(list(schema.values()), seen)

    def wanted(self, schema: Any) -> str:
        """What a schema takes, as a noun; empty where it doesn't say."""
        if not isinstance(schema, dict):
            return ""
        if "$ref" in schema:
            return self.wanted(self._rules.resolve(schema["$ref"]))
        if schema.get("pattern") == REFERENCE:
            return "a reference env:NAME, file:PATH or keyring:NAME"
        if "const" in schema:
            return shown(schema["const"])
        if "enum" in schema:
            choices = ", ".join(map(shown, schema["enum"]))
            return f"one of {choices}" if len(schema["enum"]) > 1 else choices
        branches = [self.wanted(branch) for key in ("anyOf", "oneOf") for branch in schema.get(key, ())]
        if branches:
            return ", or ".join(dict.fromkeys(branch for branch in branches if branch not in ("", "nothing")))
        kind = schema.get("type")
        noun = TYPES.get(kind, "") if isinstance(kind, str) else " or ".join(TYPES[each] for each in kind or ())
        if kind == "string" and schema.get("format") == "date-time":
            return "a date and time with an offset, such as 2026-12-01T09:00:00+01:00"
        if kind == "string":
            noun += _extent(schema, "minLength", "maxLength", "characters")
            if "examples" in schema:
                return f"{noun} such as {shown(schema['examples'][0])}"
            # Words tell more than a pattern, where there are any.
            return f"{noun} that matches {schema['pattern']}" if "pattern" in schema and not _is_told(schema) else noun
        if kind in ("integer", "number"):
            return noun + _range(schema)
        if kind == "array":
            return noun + _extent(schema, "minItems", "maxItems", "entries")
        return noun


class _Finding(NamedTuple):
    """A value, and the keyword of a schema that it breaks."""

    inspection: Inspection
    path: KeyPath
    value: Any
    schema: Mapping[str, Any]
    """The schema of this keyword, with the description of what it is an alternative of."""
    demand: Any

    @property
    def found(self) -> str:
        """What was found as the beginning of a sentence; empty if it may not be shown."""
        hidden = self.inspection.hidden(self.path) or self.inspection.takes_secrets(self.schema)
        return "" if hidden else f"Found {shown(self.value)}; "

    @property
    def description(self) -> str:
        text = self.schema.get("description")
        return f" {text}" if text else ""


def _are_sets_of_keys(branches: Any) -> bool:
    """Whether alternatives of a schema tell themselves apart by the keys that they need."""
    return all(isinstance(branch, dict) and branch.get("required") for branch in branches)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _likeliest(error: Violation) -> list[Violation]:
    """The violations of the alternative that takes this kind of value; none if there isn't exactly one."""
    branches: dict[Any, list[Violation]] = {}
    for violation in error.context or ():
        branches.setdefault(violation.relative_schema_path[0], []).append(violation)
    fitting = [
        branch
        for branch in branches.values()
        if not any(violation.validator == "type" and not violation.relative_path for violation in branch)
    ]
    return fitting[0] if len(fitting) == 1 else []


def _extent(schema: Mapping[str, Any], least: str, most: str, what: str) -> str:
    """How long a text or list may be."""
    match schema.get(least), schema.get(most):
        case None, None:
            return ""
        case 1, None:
            return " that isn't empty"
        case low, None:
            return f" of at least {low} {what}"
        case ((None | 0), high):
            return f" of at most {high} {what}"
        case low, high:
            return f" of {low} to {high} {what}"


def _range(schema: Mapping[str, Any]) -> str:
    """Which numbers are taken."""
    if "minimum" in schema and "maximum" in schema:
        return f" from {schema['minimum']} to {schema['maximum']}"
    bounds = {
        "minimum": "of at least",
        "exclusiveMinimum": "above",
        "maximum": "up to",
        "exclusiveMaximum": "below",
        "multipleOf": "that is a multiple of",
    }
    parts = [f"{words} {schema[keyword]}" for keyword, words in bounds.items() if keyword in schema]
    return f" {' and '.join(parts)}" if parts else ""


def _value(finding: _Finding) -> Iterator[Wrong]:
    wanted = finding.inspection.wanted(finding.schema)
    advice = f"give {wanted}." if wanted else "this can't be used here."
    if finding.schema.get("pattern") == REFERENCE:
        advice += " A secret itself doesn't belong here."
    yield Wrong(finding.path, sentence(finding.found + advice))


def _is_told(schema: Mapping[str, Any]) -> bool:
    return bool(schema.get("description"))


def _described(finding: _Finding) -> Iterator[Wrong]:
    if _is_told(finding.schema) and "examples" not in finding.schema and finding.schema.get("pattern") != REFERENCE:
        found = f"Found {shown(finding.value)}, which" if finding.found else "This"
        spaces = " It has a space in it." if isinstance(finding.value, str) and re.search(r"\s", finding.value) else ""
        yield Wrong(finding.path, f"{found} is not of the right form.{spaces}{finding.description}")
        return
    for path, message in _value(finding):
        yield Wrong(path, message if finding.schema.get("pattern") == REFERENCE else message + finding.description)


def _choice(finding: _Finding) -> Iterator[Wrong]:
    value = finding.value
    close = nearest(value, [str(known) for known in finding.schema["enum"]]) if isinstance(value, str) else None
    hint = f" Did you mean {shown(close)}?" if close and finding.found else ""
    for path, message in _value(finding):
        yield Wrong(path, message + hint)


def _format(finding: _Finding) -> Iterator[Wrong]:
    moment = None
    if finding.schema.get("format") == "date-time" and isinstance(finding.value, str):
        try:
            moment = datetime.fromisoformat(finding.value)
        except ValueError:
            moment = None
    if moment is None or moment.tzinfo is not None or not finding.found:
        yield from _value(finding)
        return
    example = f"{moment.isoformat()}+01:00"
    yield Wrong(
        finding.path, f"{finding.found}give date and time with their offset from UTC, such as {example}, or Z for UTC."
    )


def _length(finding: _Finding) -> Iterator[Wrong]:
    if not finding.value:
        yield Wrong(finding.path, f"This is empty; give {finding.inspection.wanted(finding.schema)}.")
    elif not finding.found:
        yield from _value(finding)
    else:
        one, many = ("character", "characters") if isinstance(finding.value, str) else ("entry", "entries")
        count = len(finding.value)
        found = f"Found {count} {one if count == 1 else many}"
        yield Wrong(finding.path, f"{found}; give {finding.inspection.wanted(finding.schema)}.")


def _too_few(finding: _Finding) -> Iterator[Wrong]:
    least = finding.demand
    needed = "at least one entry is needed" if least == 1 else f"at least {least} entries are needed"
    found = "This is empty" if not finding.value else "There are too few"
    yield Wrong(finding.path, f"{found}; {needed}.{finding.description}")


def _unknown_keys(finding: _Finding) -> Iterator[Wrong]:
    known = finding.schema.get("properties", {})
    patterns = finding.schema.get("patternProperties", {})
    for key in finding.value:
        if key in known or any(re.search(pattern, key) for pattern in patterns):
            continue
        close = nearest(key, known)
        hint = f"did you mean {close}?" if close else f"known here: {', '.join(sorted(known)) or 'none'}."
        yield Wrong((*finding.path, key), f"There is no such key; {hint}")


def _missing(finding: _Finding) -> Iterator[Wrong]:
    known = finding.schema.get("properties", {})
    for key in finding.demand:
        if key not in finding.value:
            schema = known.get(key, {})
            wanted = finding.inspection.wanted(schema)
            advice = f"; give {wanted}" if wanted else ""
            description = schema.get("description", "") if isinstance(schema, dict) else ""
            yield Wrong((*finding.path, key), f"This is missing{advice}. {description}".rstrip())


def _missing_beside(finding: _Finding) -> Iterator[Wrong]:
    for key, others in finding.demand.items():
        if key in finding.value:
            for other in others:
                if other not in finding.value:
                    yield Wrong((*finding.path, other), f"This is missing; {key} needs it.")


def _repeated(finding: _Finding) -> Iterator[Wrong]:
    yield Wrong(finding.path, "An entry stands more than once; give each once.")


SENTENCES: dict[str, Callable[[_Finding], Iterator[Wrong]]] = {
    "additionalProperties": _unknown_keys,
    "dependentRequired": _missing_beside,
    "enum": _choice,
    "format": _format,
    "maxItems": _length,
    "maxLength": _length,
    "minItems": _length,
    "minLength": _length,
    "minProperties": _too_few,
    "pattern": _described,
    "required": _missing,
    "uniqueItems": _repeated,
}
"""Keyword of a schema to sentence; any other says what was found, and what the schema takes."""
