"""The webhook of an app is made, found right, and set right; the simulated API keeps it as the real one does."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from answering_api import Api
from connector_sinch.conversation.connection import Connection
from connector_sinch.conversation.provider import SinchConversation
from connector_sinch.conversation.resources import Project
from connector_sinch.conversation.resources.webhooks import TRIGGERS
from connector_sinch.conversation.settings import ConversationSettings
from connector_sinch.conversation.simulator import SIMULATOR
from sinch_conversation_kit import APP, APPS, ROOT, WEBHOOKS, secret

from connector.extension import CheckResult, Integration, Secret
from connector.http import Http
from connector.model.errors import NotFound, ReadRefused
from connector.simulator import running

OURS = "https://hooks.example.com/webhooks/abc"


class Account:
    """A simulated project with one app, and a provider for it."""

    def __init__(self, stack: ExitStack, **given: Any) -> None:
        webhook_secret = given.pop("webhook_secret", "signs")
        self.options = SIMULATOR.Options(callback_secret=given.pop("app_secret", None), **given)
        table = SIMULATOR.settings(stack.enter_context(running(SIMULATOR, self.options)), self.options)
        del table["provider"]
        table.pop("webhook_secret", None)
        if webhook_secret is not None:
            table["webhook_secret"] = Secret("env:S", lambda reference: webhook_secret)
        secrets = SIMULATOR.secrets(self.options)
        settings = ConversationSettings.model_validate(
            table, context={"read_secret": lambda reference: secrets[reference.removeprefix("env:")]}
        )
        self.http = Http()
        stack.callback(self.http.close)
        integration = Integration("conv", settings)
        self.provider = SinchConversation(integration, self.http)
        self.project = Project(Connection(integration, self.http))
        self.app = self.options.app_id

    def call_back(self, address: str = OURS, *, mend: bool = False) -> dict[str, CheckResult]:
        return {each.name: each for each in self.provider.call_back(address, mend=mend)}


@pytest.fixture
def open_account() -> Iterator[Callable[..., Account]]:
    with ExitStack() as stack:
        yield lambda **given: Account(stack, **given)


def test_a_webhook_is_made_once_and_then_right(open_account: Callable[..., Account]) -> None:
    account = open_account()
    before = account.call_back()
    assert (before["webhook"].ok, before["signature"].ok) == (False, False)
    assert "connector setup" in before["webhook"].message
    assert list(account.project.webhooks.list(account.app)) == []
    mended = account.call_back(mend=True)
    assert {each.ok for each in mended.values()} == {True}
    assert {each.ok for each in account.call_back().values()} == {True}
    (webhook,) = account.project.webhooks.list(account.app)
    assert (webhook.target, webhook.target_type, webhook.has_secret) == (OURS, "HTTP", True)
    assert "BATCH_STATUS_UPDATE" in webhook.triggers
    assert "MESSAGE_SUBMIT" not in webhook.triggers
    assert account.project.apps.get(account.app).signs_messages_by("signs")
    account.call_back(mend=True)
    assert len(list(account.project.webhooks.list(account.app))) == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"target_type": "DISMISS", "secret": "signs"}, "DISMISS, so nothing is sent"),
        ({"triggers": ["MESSAGE_DELIVERY", "MESSAGE_SUBMIT"], "secret": "signs"}, "it lacks MESSAGE_INBOUND"),
        ({"secret": "other"}, "another secret"),
        ({}, "it doesn't sign"),
    ],
    ids=["dismissed", "few triggers", "another secret", "unsigned"],
)
def test_one_that_is_not_right_is_set_right(
    open_account: Callable[..., Account], wrong: dict[str, Any], words: str
) -> None:
    account = open_account(app_secret="signs")
    made = account.project.webhooks.create(account.app, OURS, **{"triggers": TRIGGERS, **wrong})
    before = account.call_back()["webhook"]
    assert (before.ok, words in before.message) == (False, True)
    assert account.call_back(mend=True)["webhook"].ok
    assert account.call_back()["webhook"].ok
    (after,) = account.project.webhooks.list(account.app)
    assert (after.id, after.target_type) == (made.id, "HTTP")
    assert ("MESSAGE_SUBMIT" in after.triggers) is ("MESSAGE_SUBMIT" in made.triggers)


def test_no_secret_needs_no_signature(open_account: Callable[..., Account]) -> None:
    account = open_account(webhook_secret=None)
    told = account.call_back(mend=True)
    assert (told["webhook"].ok, told["signature"].ok) == (True, None)
    assert "unguessable address" in told["signature"].message


def test_the_sixth_address_is_explained(open_account: Callable[..., Account]) -> None:
    account = open_account(app_secret="signs")
    for number in range(5):
        account.project.webhooks.create(account.app, f"https://crm.example.com/{number}", ["MESSAGE_INBOUND"])
    told = account.call_back(mend=True)["webhook"]
    assert told.ok is False
    assert "calls 5 addresses already" in told.message
    assert "https://crm.example.com/3" in told.message
    assert "connector conversation webhook delete" in told.message


def test_what_an_old_ledger_left_is_told(open_account: Callable[..., Account]) -> None:
    account = open_account(app_secret="signs")
    account.project.webhooks.create(account.app, OURS.replace("abc", "old"), ["MESSAGE_INBOUND"])
    account.project.webhooks.create(account.app, "https://crm.example.com/x", ["MESSAGE_INBOUND"])
    told = account.call_back(mend=True)
    assert (told["webhook"].ok, told["other webhook"].ok) == (True, None)
    assert "webhooks/old" in told["other webhook"].message


def test_an_address_that_is_too_long_is_not_even_tried(open_account: Callable[..., Account]) -> None:
    account = open_account()
    told = account.call_back("https://hooks.example.com/" + "x" * 742, mend=True)
    assert (told["webhook"].ok, "up to 742" in told["webhook"].message) == (False, True)
    assert list(account.project.webhooks.list(account.app)) == []


def test_another_region_is_a_404(open_account: Callable[..., Account]) -> None:
    account = open_account(asked_region="us")
    with pytest.raises(NotFound, match="another region"):
        account.call_back(mend=True)


def test_an_edition_without_the_trigger_of_batches(make_provider: Any, api: Api) -> None:
    api.at(WEBHOOKS).will(200, {})
    words = {"error": {"code": 400, "message": "unknown trigger BATCH_STATUS_UPDATE", "status": "INVALID_ARGUMENT"}}
    made = api.at(f"{ROOT}/webhooks").will(400, words).will(200, {"id": "W"})
    api.at(APPS).will(200, {"id": APP, "callback_settings": {"secret_for_overridden_callback_urls": "s"}})
    first = make_provider(webhook_secret=secret("s")).call_back(OURS, mend=True)[0]
    assert (first.ok, "BATCH_STATUS_UPDATE" in first.message) == (None, True)
    assert "BATCH_STATUS_UPDATE" not in made.seen[-1].json["triggers"]
    made.answers[:] = [(400, b'{"error": {"code": 400, "message": "no"}}', {})]
    with pytest.raises(ReadRefused):
        make_provider().call_back(OURS, mend=True)


def test_the_apps_of_a_project_are_offered_and_one_is_made(open_account: Callable[..., Account]) -> None:
    account = open_account(pending_seconds=60)
    settings = {key: value for key, value in account.provider._settings if value is not None and key != "app_id"}
    (offered,) = (offer := SinchConversation.offer("app_id", settings, account.http)).choices
    assert offered.value == account.app
    assert "SMS PENDING" in offered.label
    assert offer.new is not None
    answers: dict[str, str] = {}
    for title, answer in (
        ("Name of the app", "Second"),
        ("First channel", "SMS"),
        ("Service plan ID", "plan"),
        ("API token", "token"),
        ("Next channel", ""),
    ):
        wanted = offer.new(answers)
        assert wanted is not None
        assert (wanted.title, wanted.secret) == (title, answer == "token")
        answers[wanted.key] = answer
    assert offer.new(answers) is None
    made = SinchConversation.make("app_id", answers, settings, account.http)
    assert account.project.apps.get(made).display_name == "Second"
    assert len(SinchConversation.offer("app_id", settings, account.http).choices) == 2
