"""Building a batch: what each recipient gets once the API has put the parameters in."""

import re
from datetime import datetime, timedelta, timezone

import pytest
from connector_sinch.sms.request import batch_body
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import from_json
from sinch_sms_kit import NUMBERS, make_batch

from connector.model.batch import Batch
from connector.model.text import Template

MARK = re.compile(r"\$\{([^}]*)\}")
ALIAS = re.compile(r"[A-Za-z0-9._-]{1,16}")


def request_of(batch: Batch):
    return from_json(batch_body(batch))


def as_delivered(request, number):
    """The text as the API makes it: in one pass, by number and then by default."""

    def value(mark):
        column = request["parameters"][mark.group(1)]
        return column[number] if number in column else column["default"]

    return MARK.sub(value, request["body"])


def test_a_plain_text():
    assert request_of(make_batch("Hello")) == {
        "type": "mt_text",
        "to": NUMBERS[:2],
        "from": "Shop",
        "body": "Hello",
        "client_reference": "d1-0-0",
        "delivery_report": "none",
        "max_number_of_message_parts": 3,
    }


def test_a_personalised_text_is_a_table_by_column():
    request = request_of(make_batch("Hi ${name}: ${code}", [("Ada", "A1"), ("Åsa", "B2")]))
    assert request["body"] == "Hi ${name}: ${code}"
    assert request["parameters"] == {
        "name": {NUMBERS[0]: "Ada", NUMBERS[1]: "Åsa"},
        "code": {NUMBERS[0]: "A1", NUMBERS[1]: "B2"},
    }


def test_a_default_travels_only_where_someone_needs_it():
    needed = request_of(make_batch("Hi ${name}", [("Ada",), (None,)], defaults={"name": "you", "other": "x"}))
    assert needed["parameters"] == {"name": {NUMBERS[0]: "Ada", "default": "you"}}
    idle = request_of(make_batch("Hi ${name}", [("Ada",), ("Bo",)], defaults={"name": "you"}))
    assert "default" not in idle["parameters"]["name"]


@pytest.mark.parametrize("name", ["first name", "förnamn", "a_name_of_seventeen"[:17], "", "a,b"])
def test_a_name_that_the_api_forbids_travels_under_an_alias(name):
    request = request_of(make_batch(f"Hi ${{{name}}}", [("Ada",), ("Bo",)]))
    assert request["body"] == "Hi ${p1}"
    assert request["parameters"] == {"p1": {NUMBERS[0]: "Ada", NUMBERS[1]: "Bo"}}


def test_an_alias_never_takes_the_name_of_a_parameter():
    request = request_of(make_batch("${first name} ${p1} ${last name}", [("Ada", "x", "L."), ("Bo", "y", "H.")]))
    assert request["body"] == "${p2} ${p1} ${p3}"
    assert as_delivered(request, NUMBERS[1]) == "Bo y H."


def test_a_long_value_travels_in_as_many_pieces_for_everyone():
    long, short = "x" * 159 + "y" * 160, "ab"
    request = request_of(make_batch("${story}!", [(long,), (short,), (None,)], defaults={"story": "none"}))
    assert request["body"] == "${p1}${p2}!"
    pieces = request["parameters"]
    assert [pieces[alias][NUMBERS[1]] for alias in ("p1", "p2")] == ["a", "b"]
    assert [pieces[alias][NUMBERS[2]] for alias in ("p1", "p2")] == ["no", "ne"]
    assert all(1 <= len(value) <= 160 for column in pieces.values() for value in column.values())
    assert as_delivered(request, NUMBERS[0]) == f"{long}!"


def test_a_long_default_is_cut_too():
    request = request_of(make_batch("${story}", [("ab",), (None,)], defaults={"story": "d" * 161}))
    assert as_delivered(request, NUMBERS[1]) == "d" * 161
    assert all("default" not in column for column in request["parameters"].values())


def test_a_literal_dollar_brace_never_reaches_the_body():
    request = request_of(make_batch("Write $${name} to pay 5$, ${name}", [("Ada",), ("Bo",)]))
    assert request["body"] == "Write ${p1}{name} to pay 5$, ${name}"
    assert request["parameters"]["p1"] == {"default": "$"}
    assert as_delivered(request, NUMBERS[0]) == "Write ${name} to pay 5$, Ada"


def test_a_dollar_before_a_parameter_is_put_in_as_well():
    batch = make_batch("x", [("5",), ("7",)])
    batch = Batch(**{**{name: getattr(batch, name) for name in batch.__slots__}, "template": Template(("$$", "n", ""))})
    request = request_of(batch)
    assert request["body"] == "${p1}${p1}${n}"
    assert as_delivered(request, NUMBERS[0]) == "$$5"


def test_a_value_that_looks_like_a_parameter_is_sent_as_it_is():
    request = request_of(make_batch("${a} ${b}", [("${b}", "1"), ("$", "2")]))
    assert request["parameters"]["a"] == {NUMBERS[0]: "${b}", NUMBERS[1]: "$"}


def test_what_belongs_to_the_attempt():
    request = request_of(
        make_batch(
            callback_url="https://hooks.example.com/webhooks/x/d1-0-0",
            send_at=datetime(2026, 12, 1, 9, tzinfo=timezone(timedelta(hours=1))),
            expire_at=datetime(2026, 12, 3, 9, 0, 0, 123_456, tzinfo=timezone.utc),  # noqa: UP017
        )
    )
    assert request["callback_url"] == "https://hooks.example.com/webhooks/x/d1-0-0"
    assert request["delivery_report"] == "per_recipient_final"
    assert request["send_at"] == "2026-12-01T08:00:00.000Z"
    assert request["expire_at"] == "2026-12-03T09:00:00.123Z"


def test_without_a_sender_the_field_is_absent():
    assert "from" not in request_of(make_batch(sender=None))


names = st.text(st.sampled_from("abp1_ å."), max_size=20).map(str.strip)
literals = st.text(st.sampled_from("ab $${}é€\n"), max_size=12)
characters = st.sampled_from("aå$ {}😀\n\0")
short_values = st.text(characters, min_size=1, max_size=60)
long_values = st.text(characters, min_size=13, max_size=500)


@st.composite
def batches(draw):
    uses = draw(st.lists(names, max_size=5))
    pieces = [draw(literals)]
    for name in uses:
        pieces += [name, draw(literals)]
    template = Template(tuple(pieces))
    kinds = {name: draw(st.sampled_from([short_values, long_values])) for name in template.names}
    rows = [
        tuple(draw(st.none() | kinds[name]) for name in template.names)
        for _ in range(draw(st.integers(1, len(NUMBERS))))
    ]
    defaults = {name: draw(kinds[name]) for name in template.names}
    plain = make_batch("x", recipients=NUMBERS[: len(rows)], defaults=defaults)
    given = {name: getattr(plain, name) for name in plain.__slots__}
    return Batch(**{**given, "template": template, "values": rows})


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batches())
def test_every_recipient_gets_the_text_that_was_planned(batch):
    request = request_of(batch)
    for number, row in zip(batch.recipients, batch.values, strict=True):
        assert as_delivered(request, number) == batch.template.render_row(row, batch.defaults)
    for alias, column in request.get("parameters", {}).items():
        assert ALIAS.fullmatch(alias)
        assert set(column) <= {*batch.recipients, "default"}
        assert all(1 <= len(value) <= 160 for value in column.values())
