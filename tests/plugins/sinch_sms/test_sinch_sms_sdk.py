"""Against self-agreement: what leaves us is what the official SDK sends, and what we recorded it can read."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from answering_api import Api, Seen
from connector_sinch.sms.provider import SinchSms
from connector_sinch.sms.settings import SmsSettings
from pydantic import BaseModel
from sinch import SinchClient
from sinch.domains.authentication.models.v1.authentication import OAuthToken
from sinch_sms_kit import KEY, KEY_SECRET, NUMBERS, OF_PROJECT, PLAN, PROJECT, TOKEN, TOKENS, make_batch

CASSETTES = Path(__file__).parents[3] / "cassettes" / "sinch-sms"
SEND_AT = datetime(2026, 12, 1, 9, tzinfo=UTC)
EXPIRE_AT = datetime(2026, 12, 3, 9, 30, tzinfo=UTC)
LOOKED_BACK = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
RECENTLY = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
CALLBACK = "https://hooks.example.com/webhooks/x/d1-0-0"
TEXT = "Hi ${name}, ${code}"
PARAMETERS = {
    "name": {NUMBERS[0]: "Ada", "default": "you"},
    "code": {NUMBERS[0]: "A1", NUMBERS[1]: "B2"},
}
BATCH = {
    "id": "01BATCH",
    "to": NUMBERS[:2],
    "from": "Shop",
    "canceled": True,
    "body": "Hi",
    "type": "mt_text",
    "created_at": "2026-11-23T09:30:00.000Z",
    "modified_at": "2026-11-23T09:30:00.000Z",
    "delivery_report": "none",
    "expire_at": "2026-11-26T09:30:00.000Z",
    "flash_message": False,
    "feedback_enabled": False,
}
EMPTY = {"count": 0, "page": 0, "page_size": 0}
TOKEN_GRANTED = {"access_token": "t1", "expires_in": 3599, "scope": "", "token_type": "bearer"}


def personalised(**attempt: Any) -> Any:
    return make_batch(TEXT, [("Ada", "A1"), (None, "B2")], defaults={"name": "you"}, **attempt)


class Call(NamedTuple):
    """The same thing done by us and by the SDK."""

    status: int
    answer: Any
    ours: Callable[[SinchSms], Any]
    theirs: Callable[[Any], Any]


CALLS = {
    "send": Call(
        201,
        BATCH,
        lambda ours: ours.send(personalised(callback_url=CALLBACK, send_at=SEND_AT, expire_at=EXPIRE_AT)),
        lambda sms: sms.batches.send_sms(
            to=NUMBERS[:2],
            from_="Shop",
            body=TEXT,
            parameters=PARAMETERS,
            client_reference="d1-0-0",
            delivery_report="per_recipient_final",
            event_destination_target=CALLBACK,
            max_number_of_message_parts=3,
            feedback_enabled=True,
            send_at=SEND_AT,
            expire_at=EXPIRE_AT,
        ),
    ),
    "send plainly": Call(
        201,
        BATCH,
        lambda ours: ours.send(make_batch("Hi", sender="12015550199")),
        lambda sms: sms.batches.send_sms(
            to=NUMBERS[:2],
            from_="12015550199",
            body="Hi",
            client_reference="d1-0-0",
            delivery_report="none",
            max_number_of_message_parts=3,
            feedback_enabled=True,
        ),
    ),
    "dry run": Call(
        200,
        {"number_of_recipients": 2, "number_of_messages": 2},
        lambda ours: ours.dry_run(personalised()),
        lambda sms: sms.batches.dry_run_sms(
            to=NUMBERS[:2],
            from_="Shop",
            body=TEXT,
            parameters=PARAMETERS,
            client_reference="d1-0-0",
            delivery_report="none",
            max_number_of_message_parts=3,
            feedback_enabled=True,
        ),
    ),
    "look up": Call(
        200,
        EMPTY | {"batches": []},
        lambda ours: ours.find(make_batch()),
        lambda sms: sms.batches.list(page=0, page_size=100, client_reference="d1-0-0", start_date=LOOKED_BACK),
    ),
    "reports of a batch": Call(
        200,
        EMPTY | {"delivery_reports": []},
        lambda ours: next(ours.poll(make_batch(provider_batch_id="01BATCH"))),
        lambda sms: sms.delivery_reports.list(page=0, page_size=100, client_reference="d1-0-0", start_date=LOOKED_BACK),
    ),
    "report of a batch": Call(
        200,
        EMPTY
        | {"delivery_reports": [], "type": "delivery_report_sms", "batch_id": "01BATCH"}
        | {"total_message_count": 0, "statuses": []},
        lambda ours: list(ours.poll(make_batch(provider_batch_id="01BATCH"))),
        lambda sms: sms.delivery_reports.get(batch_id="01BATCH", report_type="full"),
    ),
    "inbound messages": Call(
        200,
        EMPTY | {"inbounds": []},
        lambda ours: list(ours.inbound(RECENTLY)),
        lambda sms: sms.inbounds.list(page=0, page_size=100, start_date=RECENTLY),
    ),
    "cancel": Call(
        200,
        BATCH,
        lambda ours: ours.cancel("01BATCH"),
        lambda sms: sms.batches.cancel(batch_id="01BATCH"),
    ),
    "feedback": Call(
        202,
        b"",
        lambda ours: ours.feedback("01BATCH", NUMBERS[:2]),
        lambda sms: sms.batches.send_delivery_feedback(batch_id="01BATCH", recipients=NUMBERS[:2]),
    ),
    "check": Call(
        200,
        EMPTY | {"batches": []},
        lambda ours: ours.check(),
        lambda sms: sms.batches.list(page_size=1),
    ),
}


def moment(value: Any) -> Any:
    """The two write the same moments with and without milliseconds."""
    return datetime.fromisoformat(value) if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value) else value


def sent(seen: Seen) -> tuple[object, ...]:
    # The SDK repeats the id of the path in the query, where the API knows no such parameter.
    query = {name: moment(value) for name, value in seen.query.items() if name != "batch_id"}
    body = {name: moment(value) for name, value in seen.json.items()} if seen.body else None
    return seen.method, seen.path, query, seen.headers["authorization"], body


@pytest.fixture(params=["plan", "project"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ours(way: str, api: Api, make_provider: Callable[..., SinchSms]) -> SinchSms:
    by_project = OF_PROJECT | {"auth_url": api.url} if way == "project" else {}
    return make_provider(api.url, delivery_feedback=True, **by_project)


@pytest.fixture
def sdk(way: str, api: Api) -> Iterator[SinchClient]:
    if way == "plan":
        client = SinchClient(service_plan_id=PLAN, sms_api_token=TOKEN, sms_region="eu")
    else:
        client = SinchClient(project_id=PROJECT, key_id=KEY, key_secret=KEY_SECRET, sms_region="eu")
    client.configuration.sms_origin_with_service_plan_id = client.configuration.sms_origin = api.url
    client.configuration.auth_origin = api.url
    with closing(client.configuration.transport.http_session):
        yield client


@pytest.mark.parametrize("name", CALLS)
def test_we_send_what_the_sdk_sends(name: str, way: str, ours: SinchSms, sdk: SinchClient, api: Api):
    call = CALLS[name]
    api.at(TOKENS).will(200, TOKEN_GRANTED)
    api.will(call.status, call.answer)
    call.ours(ours)
    mine = api.seen[-1]
    call.theirs(sdk.sms)
    theirs = api.seen[-1]
    assert theirs is not mine
    assert sent(mine) == sent(theirs)
    tokens = api.at(TOKENS).seen
    if way == "project":
        mine, theirs = tokens
        for field in ("method", "path", "query", "body"):
            assert getattr(mine, field) == getattr(theirs, field)
        for header in ("authorization", "content-type"):
            assert mine.headers[header] == theirs.headers[header]
    else:
        assert tokens == []


@pytest.mark.parametrize("way", ["project"], indirect=True)
def test_an_expired_token_is_renewed_as_the_sdk_does(ours: SinchSms, sdk: SinchClient, api: Api):
    call = CALLS["send"]
    asked = []
    for send in (lambda: call.ours(ours), lambda: call.theirs(sdk.sms)):
        api.at(TOKENS).answers[:] = []
        api.at(TOKENS).will(200, TOKEN_GRANTED).will(200, TOKEN_GRANTED | {"access_token": "t2"})
        api.answers[:] = []
        api.will(401, www_authenticate='Bearer error_description="expired"').will(201, BATCH)
        send()
        asked.append([sent(seen) for seen in api.seen])
        api.seen[:] = []
    assert asked[0] == asked[1]
    assert [request[3] for request in asked[0]] == ["Bearer t1", "Bearer t2"]


@pytest.mark.parametrize("region", ["us", "eu", "au", "br", "ca"])
def test_a_service_plan_is_at_the_host_that_the_sdk_names(region: str):
    sdk = SinchClient(service_plan_id=PLAN, sms_api_token=TOKEN, sms_region=region).configuration
    ours = SmsSettings(service_plan_id=PLAN, api_token="env:T", region=region)
    assert ours.url == sdk.sms_origin_with_service_plan_id


@pytest.mark.parametrize("region", ["us", "eu"])
def test_a_project_is_at_the_hosts_that_the_sdk_names(region: str):
    sdk = SinchClient(project_id=PROJECT, key_id=KEY, key_secret=KEY_SECRET, sms_region=region).configuration
    ours = SmsSettings(project_id=PROJECT, key_id=KEY, key_secret="env:S", region=region)
    assert (ours.url, ours.token_url) == (sdk.sms_origin, f"{sdk.auth_origin}/oauth2/token")


# What was recorded, by method and path: the SDK's own call, which reads the answer into its models.
READERS: dict[str, Callable[[SinchClient], Any]] = {
    r"POST /oauth2/token": lambda sdk: sdk.authentication.get_auth_token(),
    r"POST /xms/v1/[^/]+/batches": lambda sdk: sdk.sms.batches.send_sms(to=["1"], from_="Shop", body="Hi"),
    r"GET /xms/v1/[^/]+/batches": lambda sdk: sdk.sms.batches.list().content(),
    r"POST /xms/v1/[^/]+/batches/dry_run": lambda sdk: sdk.sms.batches.dry_run_sms(to=["1"], from_="Shop", body="Hi"),
    r"DELETE /xms/v1/[^/]+/batches/[^/]+": lambda sdk: sdk.sms.batches.cancel(batch_id="01"),
    r"POST /xms/v1/[^/]+/batches/[^/]+/delivery_feedback": lambda sdk: sdk.sms.batches.send_delivery_feedback(
        batch_id="01", recipients=["1"]
    ),
    r"GET /xms/v1/[^/]+/batches/[^/]+/delivery_report": lambda sdk: sdk.sms.delivery_reports.get(batch_id="01"),
    r"GET /xms/v1/[^/]+/delivery_reports": lambda sdk: sdk.sms.delivery_reports.list().content(),
    r"GET /xms/v1/[^/]+/inbounds": lambda sdk: sdk.sms.inbounds.list().content(),
}


def good_answers() -> dict[str, list[tuple[int, bytes]]]:
    """The good answers on all cassettes, by the reader that takes them."""
    found: dict[str, list[tuple[int, bytes]]] = {pattern: [] for pattern in READERS}
    for file in sorted(CASSETTES.glob("*.yaml")):
        for interaction in yaml.safe_load(file.read_text(encoding="utf-8"))["interactions"]:
            request, response = interaction["request"], interaction["response"]
            if response["status"]["code"] < 300:
                asked = re.sub(r"https://[^/]+|\?.*", "", f"{request['method']} {request['uri']}")
                (reader,) = (pattern for pattern in READERS if re.fullmatch(pattern, asked))
                found[reader].append((response["status"]["code"], response["body"]["string"].encode()))
    return found


RECORDED = good_answers()


@pytest.mark.parametrize("way", ["project"], indirect=True)
@pytest.mark.parametrize("reader", READERS)
def test_the_sdk_reads_what_we_recorded(reader: str, sdk: SinchClient, api: Api):
    assert RECORDED[reader], "nothing of this is recorded"
    for status, body in RECORDED[reader]:
        api.answers[:] = []
        api.will(status, body).at(TOKENS).will(200, body if reader.endswith("token") else TOKEN_GRANTED)
        read = READERS[reader](sdk)
        for item in read if isinstance(read, list) else [read]:
            assert status == 202 or isinstance(item, BaseModel | OAuthToken)
