"""The options of a simulator: from a scenario file, from words of the command line, or from both."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from connector.config.document import plain, read_document
from connector.config.messages import Inspection, faults, unknown_name
from connector.config.schema import DIALECT, Schema, rules, schema_id
from connector.model.errors import InputError
from connector.simulator import Options, Simulator
from connector.simulator.faults import parse


def scenario_schema(simulator: Simulator) -> Schema:
    """The JSON Schema of a simulator's scenario files."""
    return {
        "$schema": DIALECT,
        "$id": schema_id(_name(simulator)),
        **simulator.Options.model_json_schema(),
        "title": f"Scenario of {simulator.title}",
        "description": "What a simulator does, and what goes wrong in it.",
    }


def _name(simulator: Simulator) -> str:
    return f"scenario.{simulator.name}"


def read_options(
    simulator: Simulator, scenario: Path | None = None, words: Sequence[str] = (), fault_words: Sequence[str] = ()
) -> Options:
    """The options that a scenario file and words give: `key=value`, with dots into tables; words win.

    Raises `InputError` with everything that is wrong in the file, or with the first word that is.
    """
    given = {} if scenario is None else _read_scenario(simulator, scenario)
    for word in words:
        _set(given, word, sorted(simulator.Options.model_fields))
    given["faults"] = {**given.get("faults", {}), **parse(fault_words)}
    try:
        return simulator.Options.model_validate(given)
    except ValidationError as error:
        raise InputError("\n".join(f"--set {sentence}" for sentence in _sentences(error))) from None


def _read_scenario(simulator: Simulator, path: Path) -> dict[str, Any]:
    document, unreadable = read_document(path, missing="Name the file of a scenario, in TOML or JSON.")
    if unreadable:
        raise InputError(unreadable)
    document, wrong = plain(document)
    inspection = Inspection(rules({_name(simulator): scenario_schema(simulator)}, _name(simulator)), document)
    wrong += inspection.violations()
    try:
        simulator.Options.model_validate(document)
    except ValidationError as error:
        # What the schema found wrong, the model finds again.
        known = {each.path[:1] for each in wrong}
        wrong += [each for each in inspection.validation(error) if each.path[:1] not in known]
    if wrong:
        raise InputError(faults(wrong, str(path)))
    read: dict[str, Any] = document
    return read


def _set(given: dict[str, Any], word: str, known: Sequence[str]) -> None:
    key, equals, value = word.partition("=")
    name, *inner = key.strip().split(".")
    if not equals:
        raise InputError(f"--set {word}: write KEY=VALUE, as in seed=7.")
    if name not in known:
        raise InputError(f"--set {word}: {unknown_name(name, known, 'setting of the simulator')}")
    table = given
    for part in (name, *inner)[:-1]:
        if not isinstance(table.setdefault(part, {}), dict):
            raise InputError(f"--set {word}: {part} is given as a whole already.")
        table = table[part]
    # Nothing after the sign takes a setting away: callback_secret=
    table[(name, *inner)[-1]] = value or None


def _sentences(error: ValidationError) -> list[str]:
    sentences: dict[str, str] = {}
    for detail in error.errors(include_url=False, include_input=False):
        place = str(detail["loc"][0]) if detail["loc"] else ""
        said = str(detail["ctx"]["error"]) if detail["type"] == "value_error" else "the value can't be used."
        sentences.setdefault(place, f"{place}: {said}" if place else said)
    return list(sentences.values())
