import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from callback_receiver import Receiver
from letter_simulator import LetterSimulator

from connector.model.errors import InputError
from connector.simulator import running
from connector.simulator.tally import Tally

Letters = Callable[..., httpx.Client]
LETTER = {"to": ["12015550123", "12015550124"]}


def account(client: httpx.Client) -> dict[str, Any]:
    return client.get("/_simulator/account").json()


def test_the_account_tells_how_often_each_number_was_accepted(letters: Letters) -> None:
    client = letters()
    client.post("/letters", json=LETTER)
    client.post("/letters", json={"to": ["12015550124"]})
    client.post("/letters", json={"to": []})
    client.get("/letters")
    told = account(client)
    assert (told["numbers"], told["accepted_once"], told["accepted_more"]) == (2, 1, 1)
    assert told["more_than_once"] == {"12015550124": 2}
    assert told["sends"] == {"201": 2, "400": 1}
    assert told["requests"] == {"201": 2, "400": 1, "200": 1}
    assert 1 <= told["most_sends_in_a_second"] <= 3


def test_the_account_tells_how_many_sends_came_within_a_second() -> None:
    tally = Tally()
    for at_seconds in (1.0, 1.5, 2.0, 2.25, 2.5, 9.0):
        tally.asked_to_send(at_seconds)
    assert tally.account()["most_sends_in_a_second"] == 3


@pytest.mark.parametrize(
    ("fault", "status", "accepted"),
    [("throttled", 429, 0), ("error_before", 503, 0), ("error_after", 503, 2), ("unauthorized", 401, 0)],
)
def test_a_fault_answers_in_the_place_of_the_provider(letters: Letters, fault: str, status: int, accepted: int) -> None:
    client = letters(faults={fault: 1})
    assert client.post("/letters", json=LETTER).status_code == status
    assert account(client)["numbers"] == accepted


def test_what_the_provider_refuses_is_not_touched_by_faults_after_accepting(letters: Letters) -> None:
    client = letters(faults={"error_after": 1, "drop_after": 1})
    client.post("/_simulator/hold", json={"at": "after"})
    assert client.post("/letters", json={"to": []}).status_code == 400


@pytest.mark.parametrize(("fault", "accepted"), [("drop_before", 0), ("drop_after", 2)])
def test_a_connection_can_be_closed_without_an_answer(letters: Letters, fault: str, accepted: int) -> None:
    client = letters(faults={fault: "1x1"})
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.post("/letters", json=LETTER)
    told = account(client)
    assert told["numbers"] == accepted
    assert told["requests"] == told["sends"] == {"dropped": 1}
    assert client.post("/letters", json=LETTER).status_code == 201


def test_a_slow_answer_comes_after_accepting_and_at_once_when_it_stops() -> None:
    options = LetterSimulator.Options(outcomes={"A:0": 1}, faults={"slow": "1x1", "slow_seconds": 600})
    answers: list[int] = []
    with running(LetterSimulator(), options) as base_url:
        slow = threading.Thread(
            target=lambda: answers.append(httpx.post(f"{base_url}/letters", json=LETTER, timeout=60).status_code)
        )
        slow.start()
        with httpx.Client(base_url=base_url) as client:
            while not account(client)["numbers"]:
                pass
            assert client.post("/letters", json=LETTER).status_code == 201
            assert account(client)["sends"] == {"201": 1}
        assert answers == []
    slow.join()
    assert answers == [201]


def test_a_look_up_can_fail(letters: Letters) -> None:
    client = letters(faults={"listing_error": "1x1"})
    assert [client.get("/letters").status_code for _ in range(2)] == [503, 200]


def test_faults_are_replaced_while_it_runs(letters: Letters) -> None:
    client = letters(faults={"throttled": 1})
    wrong = client.post("/_simulator/faults", json={"thrott1ed": 1})
    assert (wrong.status_code, "throttled" in wrong.json()["error"]) == (400, True)
    assert client.post("/letters", json=LETTER).status_code == 429
    client.post("/_simulator/faults", json={"error_before": 1})
    assert client.post("/letters", json=LETTER).status_code == 503


def test_everything_can_be_throttled(letters: Letters) -> None:
    client = letters(faults={"overloaded": "1x2"})
    assert [client.post("/letters", json=LETTER).status_code, client.get("/letters").status_code] == [429, 429]
    assert [client.post("/letters", json=LETTER).status_code, client.get("/letters").status_code] == [201, 200]


def answers_until(client: httpx.Client, status: int) -> set[int]:
    """Send until this is answered; the other answers that came before."""
    seen = set()
    while (answered := client.post("/letters", json=LETTER).status_code) != status:
        seen.add(answered)
    return seen


def test_a_phase_holds_for_its_time_after_the_first_send(letters: Letters) -> None:
    client = letters(
        phases=[{"to_second": 0.2, "faults": {"throttled": 1}}, {"from_second": 0.5, "faults": {"error_before": 1}}]
    )
    assert client.post("/letters", json=LETTER).status_code == 429
    assert answers_until(client, 201) <= {429}
    assert answers_until(client, 503) <= {201}


def test_the_time_of_phases_begins_with_a_send_and_anew_with_a_reset(letters: Letters) -> None:
    client = letters(phases=[{"to_second": 0.1, "faults": {"throttled": 1}}])
    for _ in range(2):
        assert client.get("/letters").status_code == 200
        assert answers_until(client, 201) == {429}
        client.post("/_simulator/reset")


def test_a_phase_can_slow_the_queue(letters: Letters, receiver: Receiver) -> None:
    client = letters(phases=[{"messages_per_second": 0.001, "to_second": 0.3}])
    sent_at = time.monotonic()
    client.post("/letters", json={**LETTER, "callback_url": receiver.url})
    receiver.wait(2)
    assert time.monotonic() - sent_at >= 0.3


@pytest.mark.parametrize(("point", "accepted"), [("before", 0), ("after", 2)])
def test_a_send_can_be_held_before_and_after_accepting(letters: Letters, point: str, accepted: int) -> None:
    client = letters()
    client.post("/_simulator/hold", json={"at": point})
    answers: list[int] = []
    held = threading.Thread(target=lambda: answers.append(client.post("/letters", json=LETTER).status_code))
    held.start()
    assert client.get("/_simulator/held").status_code == 200
    assert (account(client)["numbers"], answers) == (accepted, [])
    client.post("/_simulator/release")
    held.join()
    assert (account(client)["numbers"], answers) == (2, [201])


def test_the_queue_can_be_held(letters: Letters) -> None:
    client = letters()
    client.post("/_simulator/hold", json={"at": "queue"})
    client.post("/letters", json=LETTER)
    idle = threading.Thread(target=client.get, args=("/_simulator/idle",))
    idle.start()
    client.post("/_simulator/release")
    idle.join()
    assert client.get("/_simulator/idle").status_code == 200


def test_messages_leave_at_the_pace_of_the_account(letters: Letters) -> None:
    unhurried = letters(messages_per_second=500)
    unhurried.post("/letters", json={"to": [str(12015550100 + place) for place in range(60)]})
    assert unhurried.get("/_simulator/idle").status_code == 200


def test_a_reset_forgets_everything_but_the_faults(letters: Letters) -> None:
    client = letters(faults={"error_after": 1})
    client.post("/letters", json=LETTER)
    client.post("/_simulator/reset")
    assert (account(client)["numbers"], account(client)["requests"]) == (0, {})
    assert client.get("/_simulator/batches").json() == {"count": 0, "batches": []}
    assert client.post("/letters", json=LETTER).status_code == 503
    assert client.get("/_simulator/batches").json()["count"] == 1


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", "hold", b'{"at": "nowhere"}', 400),
        ("POST", "hold", b"[]", 400),
        ("POST", "faults", b"{", 400),
        ("GET", "nothing", b"", 404),
        ("POST", "inbound", b'{"a": 1}', 201),
    ],
)
def test_its_own_paths_answer_plainly(letters: Letters, method: str, path: str, content: bytes, status: int) -> None:
    assert letters().request(method, f"/_simulator/{path}", content=content).status_code == status


def test_options_that_make_no_service_are_refused_before_it_serves() -> None:
    with pytest.raises(InputError, match="at least one weight"), running(LetterSimulator()):
        raise AssertionError("it served")
