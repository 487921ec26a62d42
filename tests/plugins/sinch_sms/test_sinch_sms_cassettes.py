"""The plugin against recorded answers; `cassettes/sinch-sms/README.md` says of what, and how to record anew."""

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from connector_sinch.sms.provider import SinchSms
from sinch_sms_kit import make_batch, secret

from connector.model.batch import Batch
from connector.model.event import Status, StatusCodeSource
from connector.model.outcome import Accepted, FoundState, Refused, Scope
from connector.model.report import ReceiptKind

CASSETTES = Path(__file__).parents[3] / "cassettes" / "sinch-sms"
URL = "http://127.0.0.1:9000"
PLAN = "simulated-plan"
TOKEN = "simulated-token"
LONG_AGO = datetime(2026, 11, 1, tzinfo=UTC)
"""Before whenever this is recorded: a look-up starts here."""

# What the simulator makes of each of these, with the seed that it has by itself.
DELIVERED, FAILED, REJECTED = "12015550100", "13515550101", "12065550100"


@pytest.fixture
def vcr_cassette_dir() -> str:
    return str(CASSETTES)


@pytest.fixture
def vcr_config() -> dict[str, Any]:
    return {
        "filter_headers": ["authorization", "user-agent"],
        "match_on": ["method", "scheme", "host", "port", "path", "query", "body"],
    }


@pytest.fixture
def simulated(make_provider) -> SinchSms:
    return make_provider(URL, service_plan_id=PLAN, api_token=secret(TOKEN))


def batch_of(key: str, text: str = "Hello", rows: Any = None, **more: Any) -> Batch:
    return make_batch(text, rows, key=key, now=LONG_AGO, **more)


@pytest.fixture
def reports_are_ready(record_mode: str):
    """The simulator needs a moment, a cassette doesn't."""

    def wait() -> None:
        if record_mode != "none":
            time.sleep(1.0)

    return wait


@pytest.mark.vcr
def test_a_personalised_batch_is_taken_found_and_reported(simulated, reports_are_ready):
    text = "Hi ${first name}, $${code} is ${code}. ${story}"
    rows = [("Ada", "A1", "s" * 200), ("Åsa", "B2", "t" * 170), (None, "C3", "u" * 2)]
    people = [DELIVERED, FAILED, REJECTED]
    batch = batch_of("cassette-1", text, rows, recipients=people, defaults={"first name": "you"})
    outcome = simulated.send(batch)
    assert isinstance(outcome, Accepted)
    reports_are_ready()
    found = simulated.find(batch)
    assert (found.state, found.provider_batch_ids) == (FoundState.accepted, (outcome.provider_batch_id,))

    accepted = batch_of("cassette-1", recipients=people, provider_batch_id=outcome.provider_batch_id)
    listed, closing = simulated.poll(accepted)
    receipts = {receipt.recipient: receipt for receipt in simulated.parse(listed)}
    assert {number: (receipt.status, receipt.status_code) for number, receipt in receipts.items()} == {
        DELIVERED: (Status.delivered, 0),
        FAILED: (Status.failed, 150),
        REJECTED: (Status.rejected, 61),
    }
    for receipt in receipts.values():
        assert (receipt.kind, receipt.final, receipt.batch_key) == (ReceiptKind.message, True, "cassette-1")
        assert receipt.provider_batch_id == outcome.provider_batch_id
        assert receipt.status_code_source is StatusCodeSource.smpp
        assert receipt.number_of_message_parts >= 1
        assert receipt.occurred_at > LONG_AGO
    assert closing.closes
    assert {(r.recipient, r.status) for r in simulated.parse(closing)} == {
        (number, receipt.status) for number, receipt in receipts.items()
    }


@pytest.mark.vcr
def test_a_scheduled_batch_is_cancelled_and_not_found_any_more(simulated):
    batch = batch_of(
        "cassette-2",
        send_at=datetime(2036, 1, 1, 9, tzinfo=UTC),
        expire_at=datetime(2036, 1, 2, 9, tzinfo=UTC),
    )
    outcome = simulated.send(batch)
    assert isinstance(outcome, Accepted)
    assert simulated.cancel(outcome.provider_batch_id)
    found = simulated.find(batch)
    assert found.state is FoundState.cannot_tell
    assert "cancelled" in found.cause
    _, closing = simulated.poll(batch_of("cassette-2", provider_batch_id=outcome.provider_batch_id))
    assert [receipt.kind for receipt in simulated.parse(closing)] == [ReceiptKind.batch]


@pytest.mark.vcr
def test_what_was_never_sent_is_absent(simulated):
    assert simulated.find(batch_of("cassette-3")).state is FoundState.absent


@pytest.mark.vcr
def test_a_malformed_number_is_pointed_at(simulated):
    outcome = simulated.send(batch_of("cassette-4", recipients=[DELIVERED, "1", FAILED]))
    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.status_code, outcome.recipients) == (Scope.recipient, 400, (1,))
    assert outcome.error == "syntax_invalid_parameter_format"


@pytest.mark.vcr
def test_a_wrong_sender_is_the_campaigns(simulated):
    outcome = simulated.send(batch_of("cassette-5", sender="A name that is too long"))
    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.status_code) == (Scope.campaign, 400)
    assert "sender" in outcome.advice


@pytest.mark.vcr
def test_a_wrong_token_is_the_accounts(make_provider):
    provider = make_provider(URL, service_plan_id=PLAN, api_token=secret("another-token"))
    outcome = provider.send(batch_of("cassette-6"))
    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.status_code) == (Scope.account, 401)
    assert [result.ok for result in provider.check()] == [False]


@pytest.mark.vcr
def test_a_wrong_plan_is_the_accounts(make_provider):
    provider = make_provider(URL, service_plan_id="another-plan", api_token=secret(TOKEN))
    outcome = provider.send(batch_of("cassette-7"))
    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.status_code) == (Scope.account, 404)
    (result,) = provider.check()
    assert "service_plan_id" in result.message


@pytest.mark.vcr
def test_right_settings_pass_the_check(simulated):
    (credentials,) = [result for result in simulated.check() if result.name == "credentials"]
    assert credentials.ok


RESERVED = re.compile(r"1[2-9]\d\d55501\d\d|447700900\d{3}|467017406\d\d")


def test_cassettes_hold_no_secret_and_no_real_number():
    files = sorted(CASSETTES.glob("*.yaml"))
    assert files
    for file in files:
        text = file.read_text(encoding="utf-8")
        lowered = text.lower()
        for secret_word in ("authorization", "bearer", TOKEN, "another-token", "api_token", "set-cookie"):
            assert secret_word not in lowered, (file.name, secret_word)
        numbers = re.findall(r"(?<![\w.-])\d{8,15}(?![\w.-])", text)
        assert [number for number in numbers if not RESERVED.fullmatch(number)] == [], file.name
