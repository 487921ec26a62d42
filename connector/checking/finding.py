"""What a check found out: one thing that was tried, and what it showed."""

from dataclasses import dataclass
from enum import StrEnum

from connector.extension.provider import CheckResult


class Result(StrEnum):
    """What trying something showed."""

    ok = "ok"
    wrong = "wrong"
    not_proved = "not_proved"
    """It could not be shown either way from here."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried: what it showed, and what to do about it."""

    name: str
    result: Result
    message: str
    integration: str | None = None
    """None: it concerns a sink, or the connector as a whole."""
    sink: str | None = None


def found_by_provider(integration: str, results: list[CheckResult]) -> list[Finding]:
    """What a provider's own check says of an integration."""
    return [Finding(each.name, _result(each.ok), each.message, integration) for each in results]


def found_by_sink(sink: str, results: list[CheckResult]) -> list[Finding]:
    """What a sink's own check says of it."""
    return [Finding(each.name, _result(each.ok), each.message, sink=sink) for each in results]


def _result(ok: bool | None) -> Result:
    if ok is None:
        return Result.not_proved
    return Result.ok if ok else Result.wrong
