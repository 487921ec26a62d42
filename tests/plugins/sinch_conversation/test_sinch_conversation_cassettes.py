"""The plugin against recorded answers; the README in `cassettes/sinch-conversation` says of what, and how to record."""

import itertools
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from connector_sinch.conversation.provider import SinchConversation
from connector_sinch.conversation.simulator import SIMULATOR
from recording import assert_nothing_real, recording_tests, vcr_config_of
from sinch_conversation_kit import make_batch, secret
from sinch_conversation_recording import (
    SIMULATED,
    SIMULATED_WEBHOOK_SECRET,
    ConversationHiding,
    Recorded,
    is_real,
    recorded,
    replayed,
)

from connector.http import Http
from connector.model.batch import Batch
from connector.model.errors import Throttled
from connector.model.event import Status
from connector.model.outcome import Accepted, Found, FoundState, InDoubt, Refused, Scope
from connector.model.report import ReceiptKind
from connector.simulator import running
from connector.simulator.asking import have_somebody_write

CASSETTES = Path(__file__).parents[3] / "cassettes" / "sinch-conversation"
KEEPING: dict[str, Any] = {"dispatch_retention_days": 3, "outcomes": {"DELIVERED": 1}}
ADDRESS_CALLED = "https://hooks.example.com/webhooks/abc"


@pytest.fixture
def hiding() -> ConversationHiding:
    return ConversationHiding()


@pytest.fixture
def vcr_cassette_dir() -> str:
    return str(CASSETTES)


@pytest.fixture
def vcr_config(hiding: ConversationHiding) -> dict[str, Any]:
    return vcr_config_of(hiding)


@pytest.fixture(autouse=True)
def _everything_on_the_cassette_is_asked_for(vcr: Any, record_mode: str) -> Iterator[None]:
    yield
    if vcr is not None and record_mode == "none":
        assert vcr.all_played


@pytest.fixture
def account(record_mode: str, hiding: ConversationHiding) -> Iterator[Callable[..., Recorded]]:
    """What a test talks to; with `simulated` or options of the simulator it is that, whatever the environment names."""
    with ExitStack() as stack:

        def make(*, simulated: bool = False, **options: Any) -> Recorded:
            if record_mode == "none":
                return replayed()
            url = None
            if simulated or options or not is_real():
                url = stack.enter_context(running(SIMULATOR, SIMULATOR.Options(**KEEPING, **options)))
            made = recorded(url)
            hiding.hide(made)
            return made

        yield make


@pytest.fixture
def pause(record_mode: str) -> Callable[[], None]:
    """The API needs a moment to show what it took, a cassette doesn't."""
    seconds = itertools.chain((0.2, 1.0, 2.0), itertools.repeat(5.0))
    return lambda: None if record_mode == "none" else time.sleep(next(seconds))


@pytest.fixture
def ready(make_provider: Callable[..., SinchConversation]) -> Callable[..., SinchConversation]:
    return lambda account, **changed: make_provider(**{**account.settings, **changed})


def batch_of(account: Recorded, key: str, message: Any = None, rows: Any = None, **more: Any) -> Batch:
    people = more.pop("recipients", [account.person])
    return make_batch(message, rows, key=f"{account.run}-{key}", recipients=people, sender=account.sender, **more)


def found_of(provider: SinchConversation, batch: Batch, pause: Callable[[], None]) -> Found:
    """What is found of an accepted batch, once the API shows it."""
    for _ in range(20):
        pause()
        found = provider.find(batch)
        if found.state is FoundState.accepted:
            return found
    raise AssertionError("The batch was not found.")


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_personalised_batch_is_taken_and_found(account, ready, pause):
    target = account()
    provider = ready(target)
    batch = batch_of(target, "1", {"text": "Hi ${name}, $${code} is ${code}."}, [{"name": "Åsa", "code": "A1"}])
    outcome = provider.send(batch)
    assert isinstance(outcome, Accepted)
    assert found_of(provider, batch, pause).provider_batch_ids == (outcome.provider_batch_id,)


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_message_that_came_alone_goes_alone(account, ready):
    target = account()
    provider = ready(target)
    batch = batch_of(target, "2", {"text": "Hi ${name}", "ttl": "3600s"}, [{"name": "Ada"}], prompt=True)
    outcome = provider.send(batch)
    assert isinstance(outcome, Accepted)
    assert provider.find(batch).state is FoundState.cannot_tell


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_scheduled_batch_is_cancelled_and_does_not_count_any_more(account, ready):
    target = account()
    provider = ready(target)
    batch = batch_of(target, "3", send_at=target.tomorrow)
    outcome = provider.send(batch)
    assert isinstance(outcome, Accepted)
    assert provider.cancel(outcome.provider_batch_id)
    found = provider.find(batch)
    assert found.state is FoundState.cannot_tell
    assert "cancelled" in found.cause


@pytest.mark.vcr
@pytest.mark.block_network
def test_what_was_never_sent_is_absent(account, ready):
    target = account()
    assert ready(target).find(batch_of(target, "4")).state is FoundState.absent


@pytest.mark.vcr
@pytest.mark.block_network
def test_what_the_api_does_not_know_is_not_cancelled(account, ready):
    assert not ready(account()).cancel("01J0000000000000000000NONE")


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_message_is_transcoded_dry(account, ready):
    target = account()
    batch = batch_of(target, "5", {"text": "Hi ${name}"}, [{"name": "Ada"}])
    dry = ready(target).dry_run(batch)
    assert (dry.messages, dry.parts, list(dry.by_channel)) == (1, None, ["SMS"])
    assert "Hi Ada" in dry.by_channel["SMS"]


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_channel_that_the_app_lacks_is_the_campaigns(account, ready):
    target = account()
    outcome = ready(target).send(batch_of(target, "6", {"text": "Hi", "channel_priority_order": ["KAKAOTALK"]}))
    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.status_code) == (Scope.campaign, 400)
    assert "channel_priority_order" in outcome.advice


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_wrong_access_key_gets_no_token(account, ready):
    target = account()
    provider = ready(target, key_secret=secret("another-secret"))
    outcome = provider.send(batch_of(target, "7"))
    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.status_code, outcome.error) == (Scope.account, 401, "invalid_client")
    assert [(result.name, result.ok) for result in provider.check()] == [("access key", False)]


@pytest.mark.vcr
@pytest.mark.block_network
def test_another_project_is_refused(account, ready):
    target = account()
    provider = ready(target, project_id="another-project")
    outcome = provider.send(batch_of(target, "8"))
    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.status_code) == (Scope.account, 403)
    assert [(result.name, result.ok) for result in provider.check()] == [("access key", True), ("app", False)]


@pytest.mark.vcr
@pytest.mark.block_network
def test_an_app_of_another_region_is_not_found(account, ready):
    target = account()
    provider = ready(target, app_id="01J000000000000000000THERE")
    outcome = provider.send(batch_of(target, "9"))
    assert isinstance(outcome, Refused)
    assert (outcome.scope, outcome.status_code) == (Scope.account, 404)
    assert "region" in outcome.advice
    assert [(result.name, result.ok) for result in provider.check()] == [("access key", True), ("app", False)]


@pytest.mark.vcr
@pytest.mark.block_network
def test_an_expired_token_is_renewed_and_the_batch_sent_once(account, ready, pause):
    target = account(faults={"token_expired": "1x1"})
    provider = ready(target)
    batch = batch_of(target, "10")
    outcome = provider.send(batch)
    assert isinstance(outcome, Accepted)
    assert found_of(provider, batch, pause).provider_batch_ids == (outcome.provider_batch_id,)


@pytest.mark.vcr
@pytest.mark.block_network
def test_throttling_is_a_wait(account, ready):
    target = account(faults={"throttled": "1x1"})
    with pytest.raises(Throttled):
        ready(target).send(batch_of(target, "11"))


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_full_queue_is_a_wait(account, ready):
    target = account(queue_limit=1)
    with pytest.raises(Throttled):
        ready(target).send(batch_of(target, "12", recipients=["12015550101", "12015550102"]))


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_503_may_have_been_taken(account, ready, pause):
    target = account(faults={"error_after": "1x1"})
    provider = ready(target)
    batch = batch_of(target, "13")
    assert isinstance(provider.send(batch), InDoubt)
    assert found_of(provider, batch, pause).state is FoundState.accepted


@pytest.mark.vcr
@pytest.mark.block_network
def test_right_settings_pass_the_check(account, ready):
    proved = {result.name: result.ok for result in ready(account()).check()}
    assert (proved["access key"], proved["app"], proved["batch API"]) == (True, True, True)
    assert proved["channel SMS"]


@pytest.mark.vcr
@pytest.mark.block_network
def test_what_people_wrote_is_listed(account, ready):
    target = account()
    if target.simulator_url is not None:
        have_somebody_write(target.simulator_url, f"+{target.person}", "A word in private")
    provider = ready(target)
    reports = list(provider.inbound(target.now - timedelta(minutes=15)))
    receipts = [receipt for report in reports for receipt in provider.parse(report)]
    # To a real app others write as well.
    receipts = [receipt for receipt in receipts if (receipt.recipient or "").lstrip("+") == target.person]
    assert receipts, "Write a message from that phone to the app first, and have the app keep messages."
    assert {(receipt.kind, receipt.status) for receipt in receipts} == {(ReceiptKind.person, Status.replied)}
    assert all(receipt.provider_id and receipt.text for receipt in receipts)


@pytest.mark.vcr
@pytest.mark.block_network
def test_the_apps_are_offered(account):
    target, http = account(), Http()
    try:
        offered = SinchConversation.offer("app_id", target.settings, http)
    finally:
        http.close()
    assert target.app in [choice.value for choice in offered.choices]


@pytest.mark.vcr
@pytest.mark.block_network
def test_an_app_is_made(account):
    target, http = account(simulated=True), Http()
    sms = {"claimed_identity": "PLAN", "token": "API-TOKEN"}
    answers = {"name": "Shop", "channel_1": "SMS", **{f"channel_1.static_bearer.{key}": sms[key] for key in sms}}
    try:
        assert SinchConversation.make("app_id", answers, target.settings, http)
    finally:
        http.close()


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_webhook_is_made_and_then_right(account, ready):
    target = account(callback_secret=None)
    provider = ready(target)
    before = {result.name: result.ok for result in provider.call_back(ADDRESS_CALLED, mend=False)}
    assert before == {"webhook": False, "signature": False}
    for mend in (True, False):
        after = {result.name: result.ok for result in provider.call_back(ADDRESS_CALLED, mend=mend)}
        assert after == {"webhook": True, "signature": True}


@pytest.mark.vcr
@pytest.mark.block_network
def test_a_webhook_that_does_not_sign_is_set_right(account, ready):
    target = account(callback_secret=None)
    unsigned = ready(target, webhook_secret=None)
    assert {result.ok for result in unsigned.call_back(ADDRESS_CALLED, mend=True)} == {True, None}
    provider = ready(target)
    before = {result.name: result.message for result in provider.call_back(ADDRESS_CALLED, mend=False)}
    assert "doesn't sign" in before["webhook"]
    assert {result.ok for result in provider.call_back(ADDRESS_CALLED, mend=True)} == {True}
    assert {result.ok for result in provider.call_back(ADDRESS_CALLED, mend=False)} == {True}


ADDRESS = re.compile(
    r"https://auth\.sinch\.com/oauth2/token"
    r"|https://eu\.conversation\.api\.sinch\.com/v1/projects/(PROJECT|another-project)/(apps|messages|webhooks).*"
    r"|https://eu\.conversationbatch\.api\.sinch\.com/v1/projects/(PROJECT|another-project)/messages.*"
)


@pytest.mark.parametrize("file", sorted(CASSETTES.glob("*.yaml")), ids=lambda file: file.stem)
def test_cassettes_hold_no_secret_and_nobody_real(file: Path):
    assert_nothing_real(file, ADDRESS, {**SIMULATED, "webhook": SIMULATED_WEBHOOK_SECRET, "text": "in private"})


def test_every_cassette_has_its_test():
    assert {file.stem for file in CASSETTES.glob("*.yaml")} == recording_tests(globals())
