"""A campaign's message, held against what its provider takes: every fault with the name of its field."""

import re

from pydantic import ValidationError

from connector.config.messages import Inspection, Wrong, faults
from connector.config.schema import Rules, message_schema, rules
from connector.extension.provider import Provider
from connector.model.campaign import Message
from connector.model.errors import Fault
from connector.model.text import Template, texts

_MARKS = re.compile(r"\$\$\{|\$\{[^{}]*\}")


def message_faults(message: Message, provider: Provider, source: str) -> list[Fault]:
    """What is wrong with a message for this provider; `source` stands for the campaign's file."""
    given = message.model_dump(exclude_unset=True)
    document = {"message": given}
    wrong = [
        Wrong(("message", *path), sentence) for path, text in texts(message.model_extra) for sentence in _torn(text)
    ]
    if provider.Message is Message:
        known = ", ".join(Message.model_fields)
        wrong += [
            Wrong(("message", key), f"{provider.title} takes a text alone, so this can't be sent; known here: {known}.")
            for key in message.model_extra or {}
        ]
        return faults(wrong, source)
    inspection = Inspection(_rules(provider), document)
    violations = inspection.violations()
    wrong += violations
    try:
        provider.Message.model_validate(given)
    except ValidationError as error:
        # What the schema found wrong, the model finds again.
        found = {each.path for each in violations}
        wrong += [
            each
            for each in inspection.validation(error, ("message",))
            if not any(each.path[: len(path)] == path or path[: len(each.path)] == each.path for path in found)
        ]
    return faults(wrong, source)


def _rules(provider: Provider) -> Rules:
    name = f"message.{provider.name}"
    return rules({name: message_schema(type(provider))}, name)


def _torn(text: str) -> list[str]:
    """Marks that would go out to people as they stand: `${name` without its end, and `${}`."""
    found = []
    if "${" in _MARKS.sub("", text):
        found.append("A ${ has no } after its name; write ${name}, and $${ for a literal ${.")
    if "" in Template.read(text).uses:
        found.append("A ${} names no parameter; write ${name}, and $${ for a literal ${.")
    return found
