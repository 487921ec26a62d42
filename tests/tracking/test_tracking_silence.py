"""A provider that accepts and then says nothing at all."""

import logging
from dataclasses import replace

import pytest
from receiving_kit import ADA, BO, CY, Api, Clock, id_of, receipt, send_to, take

from connector.connector import Connector
from connector.engine.upkeep import upkeep


def tell(connector: Connector, api: Api, person: str, batch: int) -> None:
    sent = api.sent[batch]
    take(connector, receipt(person, "Delivered", 0, client_reference=sent.key, batch_id=id_of(sent)))


def test_it_is_told_after_a_while_how_many_wait(connector: Connector, clock: Clock) -> None:
    send_to(connector, ADA, BO)
    clock.go(minutes=14)
    assert connector.silences() == []
    clock.go(minutes=1)
    (silence,) = connector.silences()
    assert silence.messages == 2
    sentence = silence.sentence(clock())
    assert sentence.startswith("2 messages were accepted through")
    assert "no report has come for 15 minutes" in sentence
    assert "connector check" in sentence
    assert replace(silence, messages=1).sentence(clock()).startswith("1 message was accepted through")


def test_one_report_ends_it(connector: Connector, api: Api, clock: Clock) -> None:
    send_to(connector, ADA, BO)
    clock.go(minutes=20)
    tell(connector, api, ADA, 0)
    assert connector.silences() == []


def test_what_was_accepted_after_the_last_report_may_be_silent_again(
    connector: Connector, api: Api, clock: Clock
) -> None:
    send_to(connector, ADA)
    tell(connector, api, ADA, 0)
    clock.go(minutes=1)
    send_to(connector, BO, CY)
    clock.go(minutes=16)
    (silence,) = connector.silences()
    assert silence.messages == 2


def test_it_is_forgotten_after_the_waiting_period(connector: Connector, clock: Clock) -> None:
    send_to(connector, ADA)
    clock.go(days=5)
    assert connector.silences() == []


def test_the_worker_says_so_in_the_log_now_and_then(
    connector: Connector, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    send_to(connector, ADA)
    clock.go(minutes=15)
    with caplog.at_level(logging.WARNING, "connector.tracking"):
        upkeep(connector.desk)
        clock.go(minutes=5)
        upkeep(connector.desk)
    assert sum("no report has come" in record.message for record in caplog.records) == 1
