"""The plugin against recorded answers; `cassettes/sinch-sms/README.md` says of what, and how to record anew."""

import itertools
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from connector_sinch.sms.provider import SinchSms
from connector_sinch.sms.simulator import SIMULATOR
from recording import assert_nothing_real, recording_tests, vcr_config_of
from sinch_sms_kit import make_batch, secret
from sinch_sms_recording import (
    DELIVERED,
    ENDINGS,
    FAILED,
    REJECTED,
    SIMULATED,
    Recorded,
    SmsHiding,
    is_real,
    recorded,
    replayed,
)

from connector.model.batch import Batch
from connector.model.errors import ReadRefused, Throttled
from connector.model.event import Status, StatusCodeSource
from connector.model.outcome import Accepted, DryRun, FoundState, InDoubt, Refused, Scope
from connector.model.report import Receipt, ReceiptKind, Report
from connector.simulator import running
from connector.simulator.asking import have_somebody_write

CASSETTES = Path(__file__).parents[3] / "cassettes" / "sinch-sms"
FATES = {"endings": ENDINGS, "outcomes": {"Delivered:0": 1}}


@pytest.fixture
def hiding() -> SmsHiding:
    return SmsHiding()


@pytest.fixture
def vcr_cassette_dir() -> str:
    return str(CASSETTES)


@pytest.fixture
def vcr_config(hiding: SmsHiding) -> dict[str, Any]:
    return vcr_config_of(hiding)


@pytest.fixture(autouse=True)
def _everything_on_the_cassette_is_asked_for(vcr: Any, record_mode: str) -> Iterator[None]:
    yield
    if vcr is not None and record_mode == "none":
        assert vcr.all_played


@pytest.fixture
def account(record_mode: str, hiding: SmsHiding) -> Iterator[Callable[..., Recorded]]:
    """What a test talks to; with options of the simulator it is the simulator, whatever the environment names."""
    with ExitStack() as stack:

        def make(*, by_project: bool = False, **options: Any) -> Recorded:
            if record_mode == "none":
                return replayed(by_project=by_project)
            url = None
            if options or not is_real(by_project=by_project):
                url = stack.enter_context(running(SIMULATOR, SIMULATOR.Options(**FATES, **options)))
            made = recorded(by_project=by_project, simulator_url=url)
            hiding.hide(made)
            return made

        yield make


@pytest.fixture
def pause(record_mode: str) -> Callable[[], None]:
    """The API needs a moment for a report, a cassette doesn't."""
    seconds = itertools.chain((0.2, 1.0, 2.0), itertools.repeat(5.0))
    return lambda: None if record_mode == "none" else time.sleep(next(seconds))


@pytest.fixture
def ready(make_provider: Callable[..., SinchSms]) -> Callable[..., SinchSms]:
    return lambda account, **changed: make_provider(**{**account.settings, **changed})


def batch_of(account: Recorded, key: str, text: str = "Hello", rows: Any = None, **more: Any) -> Batch:
    people = more.pop("recipients", [account.person])
    return make_batch(
        text, rows, key=f"{account.run}-{key}", now=account.now, recipients=people, sender=account.sender, **more
    )


def reports_of(provider: SinchSms, batch: Batch, pause: Callable[[], None]) -> list[Report]:
    """The reports of an accepted batch, asked for until there is one on everybody."""
    for _ in range(100):
        pause()
        reports = list(provider.poll(batch))
        if len([receipt for report in reports[:-1] for receipt in provider.parse(report)]) == batch.size:
            return reports
    raise AssertionError("The reports did not come.")


def by_recipient(provider: SinchSms, reports: list[Report]) -> dict[str | None, Receipt]:
    return {receipt.recipient: receipt for report in reports for receipt in provider.parse(report)}


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_personalised_batch_is_taken_found_reported_and_confirmed(account, ready, pause):
    target = account()
    provider = ready(target)
    text = "Hi ${first name}, $${code} is ${code}. ${story}"
    batch = batch_of(target, "1", text, [("Åsa", "A1", "s" * 170)])
    outcome = provider.send(batch)
    assert isinstance(outcome, Accepted)
    accepted = batch_of(target, "1", provider_batch_id=outcome.provider_batch_id)
    *listed, closing = reports_of(provider, accepted, pause)
    found = provider.find(batch)
    assert (found.state, found.provider_batch_ids) == (FoundState.accepted, (outcome.provider_batch_id,))
    (receipt,) = by_recipient(provider, listed).values()
    assert (receipt.kind, receipt.final, receipt.recipient) == (ReceiptKind.message, True, target.person)
    assert (receipt.batch_key, receipt.provider_batch_id) == (batch.key, outcome.provider_batch_id)
    assert receipt.status in (Status.delivered, Status.failed, Status.rejected)
    assert receipt.number_of_message_parts == 2
    assert receipt.occurred_at > target.now - timedelta(days=14)
    assert closing.closes
    assert by_recipient(provider, [closing])[target.person].status is receipt.status
    provider.feedback(outcome.provider_batch_id, [target.person])


@pytest.mark.vcr
@pytest.mark.block_network
def test_each_of_a_batch_has_a_report_of_its_own(account, ready, pause):
    target = account(report_delay_seconds=0.1)
    provider = ready(target)
    people = [DELIVERED, FAILED, REJECTED]
    outcome = provider.send(batch_of(target, "2", "Hi ${n}", [("Ada",), ("Bo",), ("Cy",)], recipients=people))
    assert isinstance(outcome, Accepted)
    accepted = batch_of(target, "2", recipients=people, provider_batch_id=outcome.provider_batch_id)
    *listed, closing = reports_of(provider, accepted, pause)
    receipts = by_recipient(provider, listed)
    assert {number: (receipt.status, receipt.status_code) for number, receipt in receipts.items()} == {
        DELIVERED: (Status.delivered, 0),
        FAILED: (Status.failed, 150),
        REJECTED: (Status.rejected, 61),
    }
    assert {receipt.status_code_source for receipt in receipts.values()} == {StatusCodeSource.smpp}
    assert {number: receipt.status for number, receipt in by_recipient(provider, [closing]).items()} == {
        number: receipt.status for number, receipt in receipts.items()
    }


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_scheduled_batch_is_cancelled_and_not_found_any_more(account, ready):
    target = account()
    provider = ready(target)
    batch = batch_of(target, "3", send_at=target.tomorrow, expire_at=target.tomorrow + timedelta(days=1))
    outcome = provider.send(batch)
    assert isinstance(outcome, Accepted)
    assert provider.cancel(outcome.provider_batch_id)
    found = provider.find(batch)
    assert found.state is FoundState.cannot_tell
    assert "cancelled" in found.cause
    _, closing = provider.poll(batch_of(target, "3", provider_batch_id=outcome.provider_batch_id))
    assert [receipt.kind for receipt in provider.parse(closing)] == [ReceiptKind.batch]


@pytest.mark.vcr
@pytest.mark.block_network
def test_what_was_never_sent_is_absent(account, ready):
    target = account()
    assert ready(target).find(batch_of(target, "4")).state is FoundState.absent


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_batch_is_counted_dry(account, ready):
    target = account()
    rows = [("Ada", "x" * 10), ("Bo", "x" * 320)]
    batch = batch_of(target, "5", "Hi ${name} ${story}", rows, recipients=[target.person, FAILED])
    assert ready(target).dry_run(batch) == DryRun(messages=2, parts=4)


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_batch_is_refused_dry(account, ready):
    target = account()
    outcome = ready(target).dry_run(batch_of(target, "6", recipients=[target.person, "1"]))
    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.recipients) == (Scope.recipient, (1,))


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_malformed_number_is_pointed_at(account, ready):
    target = account()
    outcome = ready(target).send(batch_of(target, "7", recipients=[target.person, "1"]))
    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.status_code, outcome.recipients) == (Scope.recipient, 400, (1,))
    assert outcome.error == "syntax_invalid_parameter_format"


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_wrong_sender_is_the_campaigns(account, ready):
    target = account()
    target.sender = "A name that is too long"
    outcome = ready(target).send(batch_of(target, "8"))
    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.status_code) == (Scope.campaign, 400)
    assert "sender" in outcome.advice


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_wrong_token_is_the_accounts(account, ready):
    target = account()
    provider = ready(target, api_token=secret("another-token"))
    outcome = provider.send(batch_of(target, "9"))
    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.status_code) == (Scope.account, 401)
    assert [result.ok for result in provider.check()] == [False]


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_wrong_plan_is_the_accounts(account, ready):
    target = account()
    provider = ready(target, service_plan_id="another-plan")
    outcome = provider.send(batch_of(target, "10"))
    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.status_code) == (Scope.account, 404)
    (result,) = provider.check()
    assert "service_plan_id" in result.message


@pytest.mark.vcr
@pytest.mark.block_network
def test_right_settings_pass_the_check(account, ready):
    (credentials,) = [result for result in ready(account()).check() if result.name == "credentials"]
    assert credentials.ok


@pytest.mark.vcr
@pytest.mark.block_network
def test_what_people_wrote_is_listed(account, ready):
    target = account()
    if target.simulator_url is not None:
        have_somebody_write(target.simulator_url, f"+{target.person}", "Yes, please")
    provider = ready(target)
    reports = list(provider.inbound(target.now - timedelta(minutes=15)))
    receipts = [receipt for report in reports for receipt in provider.parse(report)]
    # To a real account others write as well.
    receipts = [receipt for receipt in receipts if receipt.recipient == target.person]
    assert receipts, "Write a message from that phone to the plan's number first."
    assert {(receipt.kind, receipt.status) for receipt in receipts} == {(ReceiptKind.person, Status.replied)}
    assert all(receipt.provider_id and receipt.text for receipt in receipts)


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_project_gets_one_token_for_all_that_it_asks(account, ready):
    target = account(by_project=True)
    provider = ready(target)
    assert {result.name: result.ok for result in provider.check()}["credentials"]
    batch = batch_of(target, "11")
    assert provider.dry_run(batch) == DryRun(messages=1, parts=1)
    assert provider.find(batch).state is FoundState.absent


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_wrong_access_key_gets_no_token(account, ready):
    target = account(by_project=True)
    provider = ready(target, key_secret=secret("another-secret"))
    outcome = provider.send(batch_of(target, "12"))
    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.status_code, outcome.error) == (Scope.account, 401, "invalid_client")


@pytest.mark.vcr
@pytest.mark.block_network
def test_an_expired_token_is_renewed_and_the_batch_sent_once(account, ready):
    target = account(by_project=True, faults={"token_expired": "1x1"})
    provider = ready(target)
    batch = batch_of(target, "13")
    outcome = provider.send(batch)
    assert isinstance(outcome, Accepted)
    assert provider.find(batch).provider_batch_ids == (outcome.provider_batch_id,)


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_project_after_the_end_of_sale_is_told_so(account, ready):
    target = account(by_project=True, after_end_of_sale=True)
    provider = ready(target)
    outcome = provider.send(batch_of(target, "14"))
    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.status_code) == (Scope.account, 401)
    assert "15 April 2026" in outcome.advice
    assert [(result.name, result.ok) for result in provider.check()] == [("access key", True), ("credentials", False)]


@pytest.mark.vcr
@pytest.mark.block_network
def test_throttling_is_a_wait(account, ready):
    target = account(faults={"throttled": "1x1"})
    with pytest.raises(Throttled):
        ready(target).send(batch_of(target, "15"))


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_503_may_have_been_taken(account, ready):
    target = account(faults={"error_after": "1x1"})
    provider = ready(target)
    batch = batch_of(target, "16")
    assert isinstance(provider.send(batch), InDoubt)
    assert provider.find(batch).state is FoundState.accepted


@pytest.mark.vcr
@pytest.mark.block_network
def test_feedback_on_a_batch_that_did_not_announce_it_is_refused(account, ready):
    target = account()
    provider = ready(target, delivery_feedback=False)
    outcome = provider.send(batch_of(target, "17", send_at=target.tomorrow))
    assert isinstance(outcome, Accepted)
    with pytest.raises(ReadRefused, match="delivery_feedback"):
        provider.feedback(outcome.provider_batch_id, [target.person])
    assert provider.cancel(outcome.provider_batch_id)


ADDRESS = re.compile(
    r"https://auth\.sinch\.com/oauth2/token"
    r"|https://eu\.sms\.api\.sinch\.com/xms/v1/(PLAN|another-plan)/.*"
    r"|https://zt\.eu\.sms\.api\.sinch\.com/xms/v1/PROJECT/.*"
)


@pytest.mark.parametrize("file", sorted(CASSETTES.glob("*.yaml")), ids=lambda file: file.stem)
def test_cassettes_hold_no_secret_and_nobody_real(file: Path):
    assert_nothing_real(file, ADDRESS, SIMULATED)


def test_every_cassette_has_its_test():
    written = {file.stem for file in CASSETTES.glob("*.yaml")}
    assert written == recording_tests(globals())
