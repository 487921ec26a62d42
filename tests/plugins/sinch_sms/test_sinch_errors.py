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


def test_a_long_sentence_is_cut():
    assert len(without_numbers("long " * 1000)) == 400
