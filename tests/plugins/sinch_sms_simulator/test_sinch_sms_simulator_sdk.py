"""The official SDK takes the simulator for the API: every call of its SMS part, by service plan and by access key."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from connector_sinch.sms.simulator import SIMULATOR
from plan_client import ANNA, BERT, CARA
from sinch import SinchClient
from sinch.domains.sms.api.v1 import Batches, DeliveryReports, Groups, Inbounds
from sinch.domains.sms.api.v1.exceptions import SmsException

from connector.simulator import running

AREAS = {"batches": Batches, "delivery_reports": DeliveryReports, "groups": Groups, "inbounds": Inbounds}
SENDER = "+12015550100"
PICTURE = {"url": "https://example.com/shop.png", "message": "Hi ${name}", "subject": "Opening"}
SMS = {"to": [f"+{ANNA}"], "from_": SENDER, "body": "We open on Monday."}
BINARY = {"to": [f"+{ANNA}"], "from_": SENDER, "body": base64.b64encode(b"open").decode(), "udh": "050003CC0101"}
MMS = {"to": [f"+{ANNA}"], "from_": SENDER, "body": PICTURE, "parameters": {"name": {"default": "you"}}}
TOMORROW = datetime.now(UTC) + timedelta(days=1)


class Sdk:
    """The SDK, and which of its calls were made."""

    def __init__(self, authentication: str, base_url: str, options: Any) -> None:
        self.base_url = base_url
        self.called: set[str] = set()
        if authentication == "project":
            self._client = SinchClient(
                project_id=options.project_id, key_id=options.key_id, key_secret=options.key_secret, sms_region="eu"
            )
            self._client.configuration.auth_origin = base_url
            self._client.configuration.sms_domain = base_url
        else:
            self._client = SinchClient(
                service_plan_id=options.service_plan_id, sms_api_token=options.api_token, sms_region="eu"
            )
            self._client.configuration.sms_domain_with_service_plan_id = base_url

    def __call__(self, call: str, *arguments: Any, **fields: Any) -> Any:
        """Make a call, as in `batches.send`."""
        self.called.add(call)
        area, name = call.split(".")
        return getattr(getattr(self._client.sms, area), name)(*arguments, **fields)

    def listed(self, call: str, *arguments: Any, **fields: Any) -> list[Any]:
        return list(self(call, *arguments, **fields).iterator())

    def settle(self) -> None:
        assert httpx.get(f"{self.base_url}/_simulator/idle", timeout=40).status_code == 200

    def close(self) -> None:
        self._client.configuration.transport.http_session.close()


@contextmanager
def sdk_on(authentication: str, **options: Any) -> Iterator[Sdk]:
    checked = SIMULATOR.Options(
        outcomes={"Delivered:0": 1}, endings={BERT[-4:]: "Failed:150"}, authentication=authentication, **options
    )
    with running(SIMULATOR, checked) as base_url:
        sdk = Sdk(authentication, base_url, checked)
        try:
            yield sdk
        finally:
            sdk.close()


def drive_batches(sdk: Sdk) -> None:
    sent = sdk("batches.send", **{**SMS, "to": [f"+{ANNA}", f"+{BERT}"]}, client_reference="order-7")
    assert (sent.to, sent.from_, sent.canceled, sent.type) == ([ANNA, BERT], SENDER[1:], False, "mt_text")
    for call, fields, kind in (
        ("batches.send_sms", SMS, "mt_text"),
        ("batches.send_binary", BINARY, "mt_binary"),
        ("batches.send_mms", MMS, "mt_media"),
    ):
        assert sdk(call, **fields).type == kind
    assert sdk("batches.get", sent.id) == sent
    assert [batch.id for batch in sdk.listed("batches.list", client_reference="order-7")] == [sent.id]
    assert len(sdk.listed("batches.list", page_size=1, from_=[SENDER])) == 4

    told = sdk("batches.dry_run", **SMS, type="mt_text", per_recipient=True, number_of_recipients=3)
    assert [(each.recipient, each.number_of_parts) for each in told.per_recipient] == [(ANNA, 1)]
    for call, fields in (
        ("batches.dry_run_sms", SMS),
        ("batches.dry_run_binary", BINARY),
        ("batches.dry_run_mms", MMS),
    ):
        told = sdk(call, **fields)
        assert (told.number_of_recipients, told.number_of_messages) == (1, 1)

    later = sdk("batches.send", **SMS, send_at=TOMORROW, feedback_enabled=True)
    replaced = sdk("batches.replace", later.id, **{**SMS, "body": "Anew."}, type="mt_text", send_at=TOMORROW)
    assert (replaced.id, replaced.body, replaced.feedback_enabled) == (later.id, "Anew.", False)
    replaced = sdk("batches.replace_sms", later.id, **SMS, send_at=TOMORROW, feedback_enabled=True)
    updated = sdk("batches.update", later.id, {"type": "mt_text", "body": "Changed."})
    updated = sdk("batches.update_sms", later.id, to_add=[f"+{CARA}"], to_remove=[f"+{ANNA}"])
    assert (updated.to, updated.body, updated.feedback_enabled) == ([CARA], "Changed.", True)
    sdk("batches.send_delivery_feedback", later.id, recipients=[f"+{CARA}"])
    assert sdk("batches.cancel", later.id).canceled is True

    binary = sdk("batches.send_binary", **BINARY, send_at=TOMORROW)
    assert sdk("batches.replace_binary", binary.id, **{**BINARY, "udh": ""}, send_at=TOMORROW).udh == ""
    assert sdk("batches.update_binary", binary.id, udh="00").udh == "00"
    media = sdk("batches.send_mms", **MMS, send_at=TOMORROW)
    assert sdk("batches.replace_mms", media.id, **MMS, send_at=TOMORROW).body.subject == "Opening"
    assert sdk("batches.update_mms", media.id, body={"url": "https://example.com/b.png"}).body.subject is None


def drive_reports(sdk: Sdk) -> None:
    batch = sdk("batches.send", **{**SMS, "to": [f"+{ANNA}", f"+{BERT}"]}, client_reference="order-8")
    sdk.settle()
    finished = sdk.listed("delivery_reports.list", client_reference="order-8", page_size=1)
    assert {report.recipient: (report.status, report.code) for report in finished} == {
        ANNA: ("Delivered", 0),
        BERT: ("Failed", 150),
    }
    assert len(sdk.listed("delivery_reports.list", status=["FAILED"], code=[150, 151])) == 2
    full = sdk("delivery_reports.get", batch.id, report_type="full", status=["Failed", "Delivered"], code=[0, 150])
    assert {status.code: status.recipients for status in full.statuses} == {0: [ANNA], 150: [BERT]}
    assert sdk("delivery_reports.get_for_number", batch.id, f"+{BERT}").code == 150


def drive_groups(sdk: Sdk) -> None:
    child = sdk("groups.create", name="Sweden", members=[f"+{BERT}"])
    group = sdk(
        "groups.create",
        name="Readers",
        members=[f"+{ANNA}"],
        child_groups=[child.id],
        auto_update={"to": SENDER, "add": {"first_word": "JOIN"}, "remove": {"first_word": "LEAVE"}},
    )
    assert (group.size, group.child_groups, group.auto_update.add.first_word) == (1, [child.id], "JOIN")
    assert sdk("groups.get", group.id) == group
    assert [each.id for each in sdk.listed("groups.list", page_size=1)] == [group.id, child.id]
    updated = sdk("groups.update", group.id, add=[f"+{CARA}"], remove=[f"+{ANNA}"], name="Readers")
    assert (updated.size, updated.auto_update) == (1, group.auto_update)
    assert sdk.listed("groups.list_members", group.id) == [CARA]
    batch = sdk("batches.send", to=[group.id], from_=SENDER, body="Hi", type="mt_text")
    sdk.settle()
    assert sdk("delivery_reports.get", batch.id).total_message_count == 2
    replaced = sdk("groups.replace", group.id, members=[f"+{ANNA}"])
    assert (replaced.size, replaced.name, replaced.child_groups) == (1, None, None)
    assert sdk("groups.delete", group.id) is None
    with pytest.raises(SmsException, match="404"):
        sdk("groups.get", group.id)


def drive_inbounds(sdk: Sdk) -> None:
    media = {"media": [{"url": "https://example.com/cat.png", "content_type": "image/png"}]}
    for written in (
        {"from": ANNA, "body": "STOP", "client_reference": "order-7"},
        {"from": BERT, "body": base64.b64encode(b"stop").decode(), "type": "mo_binary", "udh": "00"},
        {"from": CARA, "body": media, "type": "mo_media"},
    ):
        assert httpx.post(f"{sdk.base_url}/_simulator/inbound", json=written).status_code == 201
    pictured, binary, text = sdk.listed("inbounds.list", page_size=1, to=[SENDER])
    assert (text.body, binary.udh, pictured.body.media[0].status) == ("STOP", "00", "Uploaded")
    assert sdk("inbounds.get", binary.id) == binary
    assert [each.id for each in sdk.listed("inbounds.list", client_reference="order-7")] == [text.id]


@pytest.mark.parametrize("authentication", ["service_plan", "project"])
def test_every_call_of_the_official_sdk_is_answered(authentication: str) -> None:
    with sdk_on(authentication) as sdk:
        drive_batches(sdk)
        drive_reports(sdk)
        drive_groups(sdk)
        drive_inbounds(sdk)
    calls = {f"{area}.{name}" for area, kind in AREAS.items() for name in vars(kind) if not name.startswith("_")}
    assert sdk.called == calls


def test_the_official_sdk_asks_for_another_token_when_one_has_expired() -> None:
    with sdk_on("project", faults={"token_expired": "1x1"}) as sdk:
        assert sdk("batches.send", **SMS).to == [ANNA]
        requests = httpx.get(f"{sdk.base_url}/_simulator/account").json()["requests"]
    assert requests == {"200": 2, "401": 1, "201": 1}


def test_a_project_from_after_the_end_of_sale_is_refused() -> None:
    with sdk_on("project", after_end_of_sale=True) as sdk, pytest.raises(SmsException, match="401"):
        sdk("batches.send", **SMS)
