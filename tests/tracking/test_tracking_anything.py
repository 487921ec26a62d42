"""Whatever a callback says, it is answered with success, breaks no sum, and the log can be read."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic_core import to_json
from receiving_kit import ADA, BO, CY, Api, Clock, connect, id_of, nothing_wrong, request, send_to, told

from connector.connector import Connector

ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(
        [ADA, f"+{BO}", "0", "Delivered", "unknown", "2026-11-23T09:31:00Z", "9999-12-31T23:59:59-23:59"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
TYPES = ["recipient_delivery_report_sms", "delivery_report_sms", "mo_text", "mo_binary", "mo_media", "new_type"]
FIELDS = ["batch_id", "client_reference", "recipient", "code", "status", "at", "operator_status_at", "statuses"]
FIELDS += ["number_of_message_parts", "operator", "encoding", "applied_originator", "status_message"]
FIELDS += ["id", "from", "to", "body", "received_at", "total_message_count"]
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(TYPES) | ODD,
        **dict.fromkeys(FIELDS, ODD),
        "client_reference": st.just("KEY") | ODD,
        "batch_id": st.just("ID") | ODD,
        "recipient": st.sampled_from([ADA, BO, CY, f"+{ADA}"]) | ODD,
        "status": st.sampled_from(["Delivered", "FAILED", "Unknown", "Queued", "Cancelled"]) | ODD,
        "statuses": st.lists(
            st.fixed_dictionaries(
                {},
                optional={"code": ODD, "status": st.just("Failed") | ODD, "recipients": st.just([ADA, BO]) | ODD},
            ),
            max_size=3,
        )
        | ODD,
    },
)


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Connector, Api]]:
    api, clock = Api(), Clock()
    with connect(tmp_path_factory.mktemp("anything"), api, clock) as connector:
        send_to(connector, ADA, BO, CY)
        yield connector, api


def placed(body: Any, api: Api) -> bytes:
    """The body with the places for the batch's own names filled."""
    (batch,) = api.sent
    names = {"KEY": batch.key, "ID": id_of(batch)}
    if isinstance(body, dict):
        body = {name: names.get(value, value) if isinstance(value, str) else value for name, value in body.items()}
    return to_json(body)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(body=BODIES | ODD | st.fixed_dictionaries({"delivery_reports": st.lists(BODIES | ODD, max_size=3)}))
@example(body={"type": TYPES[0], "client_reference": "KEY", "recipient": ADA, "status": "Delivered", "code": 2**70})
@example(body={"type": TYPES[0], "client_reference": "KEY", "recipient": BO, "status": "Failed", "at": "0001-01-01"})
@example(body={"type": TYPES[1], "batch_id": "ID", "statuses": [{"status": "Failed", "recipients": [ADA, ADA, BO]}]})
@example(body={"type": "mo_text", "id": "01", "from": 12015550101, "to": [], "body": {"a": "\x00"}})
def test_any_body_is_answered_and_breaks_nothing(sent: tuple[Connector, Api], body: Any) -> None:
    connector, api = sent
    for key in (None, api.sent[0].key):
        assert connector.receive(request(connector, placed(body, api), key=key)).status == 200
    assert nothing_wrong(connector)


def test_the_log_can_be_read_after_all_that(sent: tuple[Connector, Api]) -> None:
    connector, _ = sent
    log = told(connector)
    assert len({event.id for event in log}) == len(log) >= 3
    assert all(event.occurred_at.tzinfo and event.recorded_at.tzinfo for event in log)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(body=st.binary(max_size=60))
def test_any_bytes_are_answered(sent: tuple[Connector, Api], body: bytes) -> None:
    connector, _ = sent
    assert connector.receive(request(connector, body)).status == 200
