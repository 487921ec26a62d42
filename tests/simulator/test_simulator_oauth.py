import base64

import pytest
from pydantic_core import from_json

from connector.http import Answer
from connector.simulator.oauth import Bucket, TokenIssuer, TokenState
from connector.simulator.service import Call


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer(clock: Clock) -> TokenIssuer:
    return TokenIssuer("key", "secret", life_seconds=59.5, bucket=Bucket(3, 2.0, clock), seed=1, clock=clock)


def ask(issuer: TokenIssuer, login: str = "key:secret", body: bytes = b"grant_type=client_credentials") -> Answer:
    headers = {
        "authorization": f"Basic {base64.b64encode(login.encode()).decode()}",
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
    }
    return issuer.answer(Call("POST", "/oauth2/token", {}, headers, body))


def test_a_key_gets_a_token_that_lives_for_its_time(issuer: TokenIssuer, clock: Clock) -> None:
    answer = from_json(ask(issuer).body)
    token = answer.pop("access_token")
    assert answer == {"expires_in": 60, "scope": "", "token_type": "bearer"}
    assert issuer.state_of(token) is TokenState.valid
    clock.now += 60
    assert issuer.state_of(token) is TokenState.expired
    assert issuer.state_of("simulated-0") is TokenState.unknown


def test_every_token_is_another_and_the_earlier_ones_stay_good(issuer: TokenIssuer) -> None:
    tokens = [from_json(ask(issuer).body)["access_token"] for _ in range(3)]
    assert len(set(tokens)) == 3
    assert {issuer.state_of(token) for token in tokens} == {TokenState.valid}


@pytest.mark.parametrize("login", ["key:wrong", "other:secret", "", "key"])
def test_a_wrong_key_is_refused(issuer: TokenIssuer, login: str) -> None:
    answer = ask(issuer, login)
    assert (answer.status, from_json(answer.body)["error"]) == (401, "invalid_client")
    assert answer.headers["www-authenticate"] == "Basic"


@pytest.mark.parametrize("header", ["Bearer abc", "Basic", "Basic not-base64!", "Basic é"])
def test_what_is_no_key_at_all_is_refused(issuer: TokenIssuer, header: str) -> None:
    assert issuer.answer(Call("POST", "/oauth2/token", {}, {"authorization": header}, b"")).status == 401


def test_only_the_grant_of_client_credentials_is_known(issuer: TokenIssuer) -> None:
    answer = ask(issuer, body=b"grant_type=password")
    assert (answer.status, from_json(answer.body)["error"]) == (400, "unsupported_grant_type")


def test_a_body_that_is_no_form_is_refused(issuer: TokenIssuer) -> None:
    login = base64.b64encode(b"key:secret").decode()
    headers = {"authorization": f"Basic {login}", "content-type": "application/json"}
    answer = issuer.answer(Call("POST", "/oauth2/token", {}, headers, b'{"grant_type": "client_credentials"}'))
    assert (answer.status, from_json(answer.body)["error"]) == (400, "invalid_request")


def test_who_asks_too_often_is_told_to_wait_and_gets_more_with_time(issuer: TokenIssuer, clock: Clock) -> None:
    assert [ask(issuer).status for _ in range(5)] == [200, 200, 200, 429, 429]
    clock.now += 1
    assert [ask(issuer).status for _ in range(3)] == [200, 200, 429]
    clock.now += 3600
    assert [ask(issuer).status for _ in range(4)] == [200, 200, 200, 429]
