"""Requests that need an access token: one token for all, and never a doubt where none can be had."""

import threading
from base64 import b64encode
from collections.abc import Callable, Iterator

import pytest
import stamina
from answering_api import Api, answering

from connector.http import AnswerLost, Client, ClientCredentials, Http, NoToken
from connector.model.errors import ConfigurationError, NotReached, NotSent, ReadFailed, ReadRefused, Throttled

TOKENS = "/oauth2/token"
EXPIRED = {"www_authenticate": 'Bearer error="invalid_token", error_description="The token has expired"'}


def granted(token: str, **more: object) -> dict[str, object]:
    return {"access_token": token, "expires_in": 3600, "token_type": "bearer", "scope": "", **more}


class Seconds:
    """A monotonic clock that a test moves ahead."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asked = 0

    def __call__(self) -> float:
        self.asked += 1
        return self.now


@pytest.fixture
def api() -> Iterator[Api]:
    with answering() as api:
        yield api


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def http() -> Iterator[Http]:
    http = Http()
    yield http
    http.close()


Make = Callable[..., ClientCredentials]


@pytest.fixture
def make_credentials(api: Api, seconds: Seconds) -> Iterator[Make]:
    made: list[ClientCredentials] = []

    def make(read_secret: Callable[[], str] = lambda: "s3cret", url: str | None = None) -> ClientCredentials:
        made.append(ClientCredentials((url or api.url) + TOKENS, "key", read_secret, monotonic=seconds))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def credentials(make_credentials: Make) -> ClientCredentials:
    return make_credentials()


@pytest.fixture
def client(http: Http, api: Api, credentials: ClientCredentials) -> Client:
    return http.client(api.url, credentials=credentials)


@pytest.fixture(autouse=True)
def _reads_are_not_waited_for() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2):
        yield


def bearers(api: Api) -> list[str]:
    return [seen.headers["authorization"] for seen in api.seen]


def test_a_token_is_asked_for_once_and_serves_every_request(client: Client, api: Api) -> None:
    api.at(TOKENS).will(200, granted("t1"))
    api.will(200, {})
    assert client.post_once("/send", b"{}").status == 200
    assert client.get("/list").status == 200
    assert client.delete("/one").status == 200
    assert client.post_repeatable("/dry", b"{}").status == 200
    (asked,) = api.at(TOKENS).seen
    assert (asked.method, asked.body) == ("POST", b"grant_type=client_credentials")
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.headers["authorization"] == f"Basic {b64encode(b'key:s3cret').decode()}"
    assert bearers(api) == ["Bearer t1"] * 4


def in_threads(count: int, work: Callable[[], object]) -> list[object]:
    """What each thread got, or the error that it met; all of them start at once."""
    got: list[object] = []
    start = threading.Barrier(count)

    def run() -> None:
        start.wait()
        try:
            got.append(work())
        except NotSent as error:
            got.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


def test_threads_share_one_token(credentials: ClientCredentials, api: Api) -> None:
    api.at(TOKENS).will(200, granted("t1")).will(200, granted("t2"))
    assert in_threads(16, credentials.token) == ["t1"] * 16
    assert len(api.at(TOKENS).seen) == 1


def test_threads_that_waited_for_a_token_in_vain_do_not_all_ask_again(
    make_credentials: Make, api: Api, seconds: Seconds
) -> None:
    api.at(TOKENS).will(429)
    everybody_waits = threading.Event()

    def read_secret() -> str:
        everybody_waits.wait()
        return "s3cret"

    credentials = make_credentials(read_secret)
    got: list[object] = []
    threads = [threading.Thread(target=lambda: got.extend(in_threads(1, credentials.token))) for _ in range(8)]
    for thread in threads:
        thread.start()
    while seconds.asked < 8:
        pass
    everybody_waits.set()
    for thread in threads:
        thread.join()
    assert [type(each) for each in got] == [Throttled] * 8
    assert len(api.at(TOKENS).seen) < 8


def test_a_token_is_renewed_ahead_of_its_end(
    credentials: ClientCredentials, client: Client, api: Api, seconds: Seconds
) -> None:
    api.at(TOKENS).will(200, granted("t1")).will(200, granted("t2"))
    api.will(200, {})
    for ahead in (0, 3539, 2):
        seconds.now += ahead
        client.get("/list")
    assert bearers(api) == ["Bearer t1", "Bearer t1", "Bearer t2"]


@pytest.mark.parametrize("failure", [429, 503, 401])
def test_while_it_holds_a_token_serves_though_renewing_it_fails(
    credentials: ClientCredentials, api: Api, seconds: Seconds, failure: int
) -> None:
    tokens = api.at(TOKENS).will(200, granted("t1")).will(failure).will(200, granted("t2"))
    for ahead, expected, asked in ((0, "t1", 1), (3550, "t1", 2), (1, "t1", 2), (5, "t2", 3)):
        seconds.now += ahead
        assert (credentials.token(), len(tokens.seen)) == (expected, asked)


def test_a_token_past_its_end_is_not_used(
    credentials: ClientCredentials, client: Client, api: Api, seconds: Seconds
) -> None:
    api.at(TOKENS).will(200, granted("t1")).will(503)
    api.will(200, {})
    client.post_once("/send", b"{}")
    seconds.now += 3600
    with pytest.raises(NotReached):
        client.post_once("/send", b"{}")
    assert bearers(api) == ["Bearer t1"]


@pytest.mark.parametrize("end", [{"expires_in": None}, {"expires_in": True}, {"expires_in": "soon"}, {"expires_in": 0}])
def test_a_token_without_an_end_is_not_used_for_long(
    credentials: ClientCredentials, api: Api, seconds: Seconds, end: dict[str, object]
) -> None:
    api.at(TOKENS).will(200, granted("t1", **end)).will(200, granted("t2"))
    assert credentials.token() == "t1"
    seconds.now += 200
    assert credentials.token() == "t1"
    seconds.now += 100
    assert credentials.token() == "t2"


def test_a_token_that_expired_early_is_renewed_once_and_the_request_repeated_once(client: Client, api: Api) -> None:
    api.at(TOKENS).will(200, granted("t1")).will(200, granted("t2"))
    api.will(401, **EXPIRED).will(201, {"id": "1"})
    checked = []
    answer = client.post_once("/send", b'{"a":1}', before_write=lambda: checked.append(len(api.seen)))
    assert (answer.status, answer.json()) == (201, {"id": "1"})
    assert bearers(api) == ["Bearer t1", "Bearer t2"]
    assert [seen.body for seen in api.seen] == [b'{"a":1}'] * 2
    # The deadline holds for the repeat, too.
    assert checked == [0, 1]


def test_a_repeat_past_the_deadline_does_not_leave(client: Client, api: Api) -> None:
    api.at(TOKENS).will(200, granted("t1"))
    api.will(401, **EXPIRED)

    def check() -> None:
        if api.seen:
            raise NotReached("Too late.")

    with pytest.raises(NotReached, match="Too late"):
        client.post_once("/send", b"{}", before_write=check)
    assert len(api.seen) == 1


def test_a_repeat_whose_answer_is_lost_is_in_doubt(client: Client, api: Api) -> None:
    api.at(TOKENS).will(200, granted("t1"))
    api.will(401, **EXPIRED).will(0)
    with pytest.raises(AnswerLost):
        client.post_once("/send", b"{}")


def test_a_repeat_for_which_no_token_can_be_had_was_surely_not_sent(client: Client, api: Api) -> None:
    api.at(TOKENS).will(200, granted("t1")).will(429, retry_after="3")
    api.will(401, **EXPIRED)
    with pytest.raises(Throttled) as caught:
        client.post_once("/send", b"{}")
    assert caught.value.retry_after_seconds == 3.0
    assert len(api.seen) == 1


def test_a_second_expired_token_is_the_end(client: Client, api: Api) -> None:
    api.at(TOKENS).will(200, granted("t1")).will(200, granted("t2"))
    api.will(401, **EXPIRED)
    assert client.post_once("/send", b"{}").status == 401
    assert len(api.seen) == 2
    with pytest.raises(ReadRefused):
        client.get("/list")


@pytest.mark.parametrize("headers", [{}, {"www_authenticate": "Bearer"}])
def test_any_other_401_is_the_end(client: Client, api: Api, headers: dict[str, str]) -> None:
    api.at(TOKENS).will(200, granted("t1"))
    api.will(401, **headers)
    assert client.post_once("/send", b"{}").status == 401
    assert (len(api.seen), len(api.at(TOKENS).seen)) == (1, 1)


def test_who_met_an_expired_token_later_takes_the_new_one(credentials: ClientCredentials, api: Api) -> None:
    api.at(TOKENS).will(200, granted("t1")).will(200, granted("t2")).will(200, granted("t3"))
    assert credentials.token() == "t1"
    assert [credentials.renewed("t1"), credentials.renewed("t1"), credentials.token()] == ["t2", "t2", "t2"]
    assert in_threads(8, lambda: credentials.renewed("t2")) == ["t3"] * 8


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, b"", Throttled),
        (500, b"", NotReached),
        (503, b"<html></html>", NotReached),
        (408, b"", NotReached),
        (0, b"", NotReached),
        (200, b"<html></html>", NotReached),
        (200, {"token_type": "bearer"}, NotReached),
        (200, {"access_token": "two words"}, NotReached),
        (200, {"access_token": "line\n"}, NotReached),
        (200, [], NotReached),
        (204, b"", NotReached),
        (400, {"error": "invalid_client"}, NoToken),
        (401, b"", NoToken),
        (403, b"", NoToken),
        (404, b"", NoToken),
        (301, b"", NoToken),
    ],
)
def test_without_a_token_nothing_is_sent(
    client: Client, api: Api, status: int, body: object, kind: type[NotSent]
) -> None:
    api.at(TOKENS).will(status, body)
    with pytest.raises(NotSent) as caught:
        client.post_once("/send", b"{}")
    assert type(caught.value) is kind
    assert "s3cret" not in str(caught.value)
    assert api.seen == []
    with pytest.raises(ReadFailed) as failed:
        client.get("/list")
    assert isinstance(failed.value, ReadRefused) is (kind is NoToken)
    with pytest.raises(ReadFailed):
        client.post_repeatable("/dry", b"{}")
    assert api.seen == []


def test_nobody_at_the_token_endpoint_is_not_a_doubt(make_credentials: Make, http: Http, api: Api) -> None:
    client = http.client(api.url, credentials=make_credentials(url="http://127.0.0.1:9"))
    with pytest.raises(NotReached, match=r"127\.0\.0\.1:9 can't be reached"):
        client.post_once("/send", b"{}")


def test_a_read_asks_again_for_a_token(client: Client, api: Api) -> None:
    api.at(TOKENS).will(503).will(200, granted("t1"))
    api.will(200, {})
    assert client.get("/list").status == 200


@pytest.mark.parametrize(
    ("body", "word"), [({"error": "invalid_client"}, "invalid_client"), ({"error": "key:s3cret"}, None), (b"no", None)]
)
def test_refused_credentials_say_so_without_showing_them(
    credentials: ClientCredentials, api: Api, body: object, word: str | None
) -> None:
    api.at(TOKENS).will(401, body)
    with pytest.raises(NoToken) as caught:
        credentials.token()
    assert (caught.value.http_status, caught.value.error) == (401, word)
    assert "refused the credentials (HTTP 401" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_the_secret_is_read_for_every_token(make_credentials: Make, api: Api, seconds: Seconds) -> None:
    api.at(TOKENS).will(200, granted("t1"))
    secrets = iter(["old", "new"])
    credentials = make_credentials(lambda: next(secrets))
    for _ in range(2):
        credentials.token()
        credentials.token()
        seconds.now += 3600
    keys = [b64encode(f"key:{secret}".encode()).decode() for secret in ("old", "new")]
    assert bearers(api.at(TOKENS)) == [f"Basic {key}" for key in keys]


def test_a_secret_that_cannot_be_read_keeps_the_request_from_leaving(
    make_credentials: Make, http: Http, api: Api
) -> None:
    def absent() -> str:
        raise ConfigurationError("The environment variable KEY_SECRET is not set.")

    client = http.client(api.url, credentials=make_credentials(absent))
    with pytest.raises(NoToken, match="KEY_SECRET is not set") as caught:
        client.post_once("/send", b"{}")
    assert caught.value.http_status is None
    with pytest.raises(ReadRefused, match="KEY_SECRET is not set"):
        client.get("/list")
    assert api.seen == api.at(TOKENS).seen == []


def test_credentials_in_an_address_are_not_shown(make_credentials: Make, api: Api) -> None:
    api.at(TOKENS).will(404)
    credentials = make_credentials(url=api.url.replace("http://", "http://user:pass@"))
    with pytest.raises(NoToken) as caught:
        credentials.token()
    assert "pass" not in str(caught.value)


@pytest.mark.parametrize("status", [200, 400, 401, 404])
def test_what_may_be_repeated_is_answered_as_it_came(http: Http, api: Api, status: int) -> None:
    api.will(503).will(429, retry_after="0").will(status, {"code": "x"}) if status == 200 else api.will(status, b"x")
    client = http.client(api.url)
    if status == 200:
        with pytest.raises(ReadFailed):
            client.post_repeatable("/dry", b"{}")
    assert client.post_repeatable("/dry", b'{"a":1}').status == status
    assert api.seen[-1].headers["content-type"] == "application/json"
    assert api.seen[-1].body == b'{"a":1}'
