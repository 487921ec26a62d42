"""Error bodies in all their shapes."""

import pytest
from connector_sinch.errors import ApiError, read_error, without_numbers


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"code": "syntax_invalid_json", "text": "Bad."}', ApiError("syntax_invalid_json", "Bad.")),
        (b'{"code": "unknown_group", "description": "Gone."}', ApiError("unknown_group", "Gone.")),
        (b'{"timestamp": "t", "status": 400, "error": "Bad Request", "path": "/p"}', ApiError(None, "Bad Request")),
        (
            b'{"error": {"code": 400, "message": "parsing", "status": "INVALID_ARGUMENT", "details": []}}',
            ApiError("INVALID_ARGUMENT", "parsing"),
        ),
        (b'{"code": 7, "text": ["x"]}', ApiError()),
        (b'{"code": " ", "text": ""}', ApiError()),
        (b"[]", ApiError()),
        (b"", ApiError()),
        (b"<html>Bad gateway</html>", ApiError()),
        (b"\xff\xfe", ApiError()),
    ],
)
def test_every_shape_is_read(body, expected):
    assert read_error(body) == expected


def test_phone_numbers_are_hidden_and_short_values_are_not():
    text = "value '+1' or '12015550123' or '+447700900123' at 2026-11-23"
    assert without_numbers(text) == "value '+1' or '(number)' or '(number)' at 2026-11-23"


@pytest.mark.parametrize(
    "number",
    [
        "+1 201 555 0123",
        "1.201.555.0123",
        "(201) 555-0123",
        "+1 (201) - 555 - 0123",
        "(+1) 201 555 0123",
        "+44 (0)7700 900 123",
        "+46\u202f70\u202f174\u202f06\u202f05",
        "201\u00a0555\u20110123",
        "#12015550123",
    ],
)
def test_numbers_are_hidden_however_they_are_grouped(number):
    hidden = without_numbers(f"the number {number}, which is bad")
    assert hidden.replace("#", "") == "the number (number), which is bad"


@pytest.mark.parametrize(
    "text",
    [
        "since 2026-11-23 09:30:05",
        "from 203.0.113.177 it is forbidden",
        "error (#131047) 131047",
        "1000, 2048 and 128",
    ],
)
def test_days_machines_and_codes_are_told(text):
    assert without_numbers(text) == text


def test_a_long_sentence_is_cut():
    assert len(without_numbers("long " * 1000)) == 400
