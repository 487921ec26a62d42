"""The HMAC signature of callbacks."""

import pytest
from connector_sinch.signature import sign, verify_signature

from connector.model.callback import Verdict

BODY = '{"type":"recipient_delivery_report_sms","text":"å"}'.encode()
NONCE = "01TESTNONCE"
SIGNED_AT = 1_795_426_200
# printf '%s' "$BODY.$NONCE.$SIGNED_AT" | openssl dgst -sha256 -hmac 'first secret' -binary | base64
BY_OPENSSL = "8THP/WyZtbIvEuZm6K0zrd0qifAd4EFtEimmMhDpS44="


def headers(**changes: str | None) -> dict[str, str]:
    given = {
        "x-sinch-webhook-signature": BY_OPENSSL,
        "x-sinch-webhook-signature-nonce": NONCE,
        "x-sinch-webhook-signature-timestamp": str(SIGNED_AT),
        "x-sinch-webhook-signature-algorithm": "HmacSHA256",
    }
    changed = {**given, **{f"x-sinch-webhook-{name.replace('_', '-')}": value for name, value in changes.items()}}
    return {name: value for name, value in changed.items() if value is not None}


def verdict(given: dict[str, str], *, body: bytes = BODY, secrets: tuple[str, ...] = ("first secret",), age: float = 0):
    return verify_signature(given, body, secrets, now_seconds=SIGNED_AT + age)


def test_our_signature_is_the_one_that_openssl_computes():
    assert sign("first secret", BODY, NONCE, str(SIGNED_AT)) == BY_OPENSSL


def test_a_signed_body_is_genuine():
    assert verdict(headers()) is Verdict.genuine


@pytest.mark.parametrize("secrets", [("new secret", "first secret"), ("first secret", "new secret")])
def test_any_secret_of_a_rotation_may_have_signed(secrets):
    assert verdict(headers(), secrets=secrets) is Verdict.genuine


@pytest.mark.parametrize("age", [301, 86_400, -301])
def test_a_valid_signature_from_another_time_is_stale(age):
    assert verdict(headers(), age=age) is Verdict.stale


@pytest.mark.parametrize("age", [299, -299])
def test_five_minutes_off_are_still_fresh(age):
    assert verdict(headers(), age=age) is Verdict.genuine


@pytest.mark.parametrize("timestamp", ["soon", "nan", ""])
def test_a_signed_timestamp_that_is_no_time_is_stale(timestamp):
    signature = sign("first secret", BODY, NONCE, timestamp)
    assert verdict(headers(signature=signature, signature_timestamp=timestamp)) is Verdict.stale


@pytest.mark.parametrize(
    "given",
    [
        headers(signature=None),
        headers(signature_nonce=None),
        headers(signature_timestamp=None),
        headers(signature_algorithm=None),
        headers(signature_algorithm="HmacSHA1"),
        headers(signature_algorithm="HmacSHA512"),
        headers(signature=""),
        headers(signature="AAAA"),
        headers(signature="ÿ\udcff"),
        headers(signature_nonce="another"),
        headers(signature_timestamp=str(SIGNED_AT + 1)),
        {},
    ],
)
def test_missing_or_wrong_headers_are_forged(given):
    assert verdict(given) is Verdict.forged


def test_a_changed_body_is_forged():
    assert verdict(headers(), body=BODY + b" ") is Verdict.forged


def test_another_secret_is_forged():
    assert verdict(headers(), secrets=("second secret",)) is Verdict.forged


def test_without_a_secret_nothing_is_checked():
    assert verdict(headers(), secrets=()) is Verdict.not_checked
