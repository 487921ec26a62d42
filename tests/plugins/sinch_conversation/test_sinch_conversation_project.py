"""The typed client against the simulated API, which keeps what it is told: what is made is found, changed and gone."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from connector_sinch.conversation.connection import Connection
from connector_sinch.conversation.resources import Project
from connector_sinch.conversation.resources.apps import bearer
from connector_sinch.conversation.resources.consents import record
from connector_sinch.conversation.resources.contacts import contact, identity
from connector_sinch.conversation.resources.recipient import recipient
from connector_sinch.conversation.resources.webhooks import client_credentials
from connector_sinch.conversation.settings import ConversationSettings
from connector_sinch.conversation.simulator import SIMULATOR

from connector.extension import Integration
from connector.http import Http
from connector.model.errors import InputError, NotFound, ReadRefused
from connector.simulator import running
from connector.simulator.numbers import fictional_numbers

PATIENCE = 2000
"""How often something that the API does later is looked for; each look takes some milliseconds."""


@pytest.fixture
def app() -> str:
    return SIMULATOR.Options().app_id


@pytest.fixture
def project() -> Iterator[Project]:
    options = SIMULATOR.Options(processing_mode="CONVERSATION")
    with running(SIMULATOR, options) as base_url:
        table = SIMULATOR.settings(base_url, options)
        del table["provider"]
        secrets = SIMULATOR.secrets(options)
        settings = ConversationSettings.model_validate(
            table, context={"read_secret": lambda reference: secrets[reference.removeprefix("env:")]}
        )
        http = Http()
        yield Project(Connection(Integration("conv", settings), http))
        http.close()


def until(holds: Callable[[], bool]) -> None:
    assert any(holds() for _ in range(PATIENCE))


def test_contacts(project: Project) -> None:
    numbers = fictional_numbers()
    first, second = (
        project.contacts.create(
            contact(channel_identities=[identity(channel, next(numbers))], language="EN_US", external_id=channel)
        )
        for channel in ("SMS", "WHATSAPP")
    )
    assert project.contacts.get(first.id).external_id == "SMS"
    assert [each.id for each in project.contacts.list(external_id="WHATSAPP")] == [second.id]
    changed = project.contacts.update(first.id, display_name="Ada", metadata="m")
    assert (changed.display_name, changed.external_id) == ("Ada", "SMS")
    with_two = project.contacts.add_identity(first.id, identity("RCS", next(numbers)))
    assert [str(each.channel) for each in with_two.channel_identities] == ["SMS", "RCS"]
    merged = project.contacts.merge(first.id, second.id)
    assert {str(each.channel) for each in merged.channel_identities} == {"SMS", "RCS", "WHATSAPP"}
    with pytest.raises(NotFound):
        project.contacts.get(second.id)
    project.contacts.delete(first.id)
    assert list(project.contacts.list()) == []


def test_many_contacts_over_pages_and_in_bulk(project: Project) -> None:
    numbers = fictional_numbers()
    new = [contact(channel_identities=[identity("SMS", next(numbers))], language="EN_US") for _ in range(45)]
    assert list(project.contacts.create_many(new)) == [45]
    until(lambda: len(list(project.contacts.list())) == 45)
    ids = [each.id for each in project.contacts.list(page_size=7)]
    assert len(set(ids)) == 45
    assert list(project.contacts.delete_many(ids)) == [45]
    until(lambda: not list(project.contacts.list()))


def test_conversations_and_their_messages(project: Project, app: str) -> None:
    number = next(fictional_numbers())
    person = project.contacts.create(contact(channel_identities=[identity("SMS", number)], language="EN_US"))
    made = project.conversations.create(app, person.id, active_channel="SMS", metadata_json={"order": "7"})
    for place in range(3):
        project.conversations.inject_message(
            made.id,
            message={"text_message": {"text": f"Hello {place}"}},
            direction="TO_APP",
            channel_identity=identity("SMS", number),
            contact_id=person.id,
            accept_time=datetime.now(UTC) - timedelta(minutes=10 - place),
        )
    assert [each.id for each in project.conversations.list(app_id=app)] == [made.id]
    messages = list(project.messages.list(conversation_id=made.id, page_size=2))
    assert [each.contact_message["text_message"]["text"] for each in messages] == ["Hello 2", "Hello 1", "Hello 0"]
    assert all(each.injected for each in messages)
    (recent,) = project.conversations.recent(app)
    assert recent.last_message.id == messages[0].id
    assert project.messages.set_metadata(messages[0].id, "m").metadata == "m"
    project.messages.delete(messages[1].id)
    with pytest.raises(NotFound):
        project.messages.get(messages[1].id)
    project.conversations.stop(made.id)
    assert project.conversations.get(made.id).active is False
    project.conversations.delete(made.id)
    assert list(project.conversations.list(contact_id=person.id)) == []


def test_channels_of_an_app(project: Project, app: str) -> None:
    project.apps.add_channel(app, bearer("VIBERBM", "service", "token", callback_secret="s"))
    ordered = project.apps.order_channels(app, ["VIBERBM", "RCS"])
    assert [str(each.channel) for each in ordered.channel_credentials] == [
        "VIBERBM",
        "RCS",
        "SMS",
        "WHATSAPP",
        "MESSENGER",
    ]
    assert [each.has_callback_secret for each in ordered.channel_credentials] == [True, False, False, False, False]
    left = project.apps.remove_channel(app, "VIBERBM")
    assert [str(each.channel) for each in left.channel_credentials] == ["RCS", "SMS", "WHATSAPP", "MESSENGER"]
    kept = project.apps.update(app, retention_policy=("CONVERSATION_EXPIRE_POLICY", 30), dispatch_retention_days=2)
    assert (kept.retention_policy.ttl_days, kept.dispatch_retention_policy.ttl_days) == (30, 2)
    assert kept.display_name == "Simulated app"


def test_templates_are_locked_by_their_version(project: Project) -> None:
    english = {"language_code": "en-US", "version": "1", "text_message": {"text": "Hi ${name}"}}
    made = project.templates.create([english], default_translation="en-US", description="greeting")
    changed = {**english, "text_message": {"text": "Hello ${name}"}}
    after = project.templates.update(made.id, made.version, [changed], default_translation="en-US")
    assert after.version == made.version + 1
    with pytest.raises(ReadRefused):
        project.templates.update(made.id, made.version, [english], default_translation="en-US")
    (shown,) = project.templates.translations(made.id, language_code="en-US")
    assert shown.as_dict()["text_message"] == {"text": "Hello ${name}"}
    project.templates.delete(made.id)
    assert list(project.templates.list()) == []


def test_consents(project: Project, app: str) -> None:
    numbers = [next(fictional_numbers()) for _ in range(1)] + ["12015550199"]
    assert list(project.consents.add_many(app, [record(number, "OPT_OUT_ALL") for number in numbers])) == [2]
    until(lambda: len(list(project.consents.list(app, "OPT_OUT_ALL", page_size=1))) == 2)
    assert {each.identity for each in project.consents.list(app, "OPT_OUT_ALL")} == set(numbers)
    assert project.consents.audit(app, f"+{numbers[0]}").audit_records[0].list_type == "OPT_OUT_ALL"


def test_asking_about_a_person_and_a_message(project: Project, app: str) -> None:
    whom = recipient(identities=[identity("RCS", next(fictional_numbers()))])
    assert project.capability.query(app, whom).request_id
    made = project.messages.transcode(app, {"text_message": {"text": "Hi"}}, ["SMS", "WHATSAPP"])
    assert set(made) == {"SMS", "WHATSAPP"}
    assert project.events.send(app, whom, "composing_event", channel="RCS").event_id


def test_events_are_kept_with_their_conversation(project: Project, app: str) -> None:
    whom = recipient(identities=[identity("RCS", next(fictional_numbers()))])
    sent = project.events.send(app, whom, "agent_joined_event", {"agent": {"display_name": "Ada"}}, channel="RCS")
    event = project.events.get(sent.event_id)
    injected = project.conversations.inject_event(
        event.conversation_id,
        event={"composing_event": {}},
        channel_identity=identity("RCS", event.channel_identity.identity),
        at=datetime.now(UTC) - timedelta(minutes=1),
    )
    assert {each.id for each in project.events.list(conversation_id=event.conversation_id)} == {event.id, injected}
    project.events.delete(event.id)
    assert [each.id for each in project.events.list(contact_id=event.contact_id)] == [injected]


def test_settings_of_the_project(project: Project) -> None:
    assert not project.settings.get().settings.contact_settings.unified_contact_id_enabled
    for change in (project.settings.create, project.settings.update):
        assert change(unified_contact_id_enabled=True).settings.contact_settings.unified_contact_id_enabled
        project.settings.delete()
        assert not project.settings.get().settings.contact_settings.unified_contact_id_enabled


def test_webhooks(project: Project, app: str) -> None:
    made = project.webhooks.create(
        app,
        "https://crm.example.com/told",
        ["OPT_OUT"],
        client_credentials=client_credentials("us", "secret", "https://crm.example.com/token"),
    )
    assert (made.has_secret, made.has_client_credentials) == (False, True)
    changed = project.webhooks.update(made.id, triggers=["OPT_IN"], target_type="DISMISS")
    assert (changed.triggers, changed.target_type, changed.has_client_credentials) == (["OPT_IN"], "DISMISS", True)
    project.webhooks.delete(made.id)
    assert list(project.webhooks.list(app)) == []


def test_the_last_message_of_each(project: Project, app: str) -> None:
    number = next(fictional_numbers())
    person = project.contacts.create(contact(channel_identities=[identity("SMS", number)], language="EN_US"))
    made = project.conversations.create(app, person.id, active_channel="SMS")
    for place in range(2):
        project.conversations.inject_message(
            made.id,
            message={"text_message": {"text": f"Hello {place}"}},
            direction="TO_APP",
            channel_identity=identity("SMS", number),
            contact_id=person.id,
            accept_time=datetime.now(UTC) - timedelta(minutes=10 - place),
        )
    for last in (
        project.messages.last(app, channel_identities=[number]),
        project.messages.last(app, contact_ids=[person.id], start=datetime.now(UTC) - timedelta(hours=1)),
    ):
        assert [each.contact_message["text_message"]["text"] for each in last] == ["Hello 1"]
    with pytest.raises(InputError):
        project.messages.last(app)
