"""Two fields of an event never get one name: the second would take the place of the first without a word."""

from collections.abc import Mapping
from typing import Any

import pytest

from connector.config.load import check_settings
from connector.extension.plugins import Plugins
from connector.model.errors import ConfigurationError

BLOOMREACH = {"sink": "bloomreach", "base_url": "https://crm.example.com", "project_token": "p", "api_token": "env:T"}
NEUTRAL: list[dict[str, Any]] = [
    {"sink": "jsonl", "path": "events.jsonl"},
    {"sink": "webhook", "url": "https://crm.example.com", "secret": "env:S"},
    {"sink": "segment", "write_key": "env:K", "region": "eu"},
    {"sink": "kafka", "bootstrap_servers": "kafka.example.com:9093", "topic": "events"},
]


def fault(table: Mapping[str, Any], properties: Mapping[str, str]) -> str:
    """What is wrong with the properties; empty: nothing."""
    try:
        check_settings({"sinks": {"crm": {**table, "properties": properties}}}, Plugins())
    except ConfigurationError as error:
        (found,) = error.faults
        return f"{found.place}: {found.message}"
    return ""


@pytest.mark.parametrize("table", [BLOOMREACH, *NEUTRAL], ids=lambda table: table["sink"])
def test_two_fields_with_one_name_are_told(table: Mapping[str, Any]) -> None:
    told = fault(table, {"status": "recipient"})
    assert told.startswith('sinks.crm.properties: "recipient" is the name of two fields, ')
    assert "status and recipient:" in told
    told = fault(table, {"operator": "what", "comment": "what"})
    assert '"what"' in told and "operator" in told and "comment" in told
    assert fault(table, {"status": "recipient", "recipient": "status"}) == ""
    assert fault(table, {"status": "recipient", "recipient": ""}) == ""
    assert fault(table, {"status": "", "recipient": "", "comment": ""}) == ""


def test_the_usual_names_of_a_project_count() -> None:
    told = fault(BLOOMREACH, {"metadata.variant": "message"})
    assert '"message" is the name of two fields, text and metadata.variant' in told
    assert fault(BLOOMREACH, {"metadata.variant": "message", "text": ""}) == ""
    # Of a field that isn't tracked, the own name is free.
    assert fault(BLOOMREACH, {"metadata.operator": "operator", "comment": "text"}) == ""
    assert "comment and metadata.x" in fault(BLOOMREACH, {"metadata.x": "comment"})


def test_two_statuses_may_have_one_value() -> None:
    both = {**BLOOMREACH, "statuses": {"rejected": "failed", "failed": "failed"}}
    assert fault(both, {}) == ""
