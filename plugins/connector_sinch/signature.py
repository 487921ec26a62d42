"""The HMAC signature of Sinch's callbacks.

Signature = Base64(HMAC-SHA256(secret, raw body + "." + nonce + "." + timestamp)), sent in four
`x-sinch-webhook-signature*` headers. It is off until Sinch's account manager enables it; until then the
headers are absent. Source: "Validating callbacks" on the SMS API's Webhooks page, and the official SDKs.
"""

import base64
import hmac
from collections.abc import Callable, Mapping, Sequence

from connector.extension import Secret
from connector.model.callback import Verdict

SIGNATURE = "x-sinch-webhook-signature"
NONCE = "x-sinch-webhook-signature-nonce"
TIMESTAMP = "x-sinch-webhook-signature-timestamp"
ALGORITHM = "x-sinch-webhook-signature-algorithm"
HMAC_SHA256 = "HmacSHA256"
MAX_AGE_SECONDS = 300.0


def sign(secret: str, body: bytes, nonce: str, timestamp: str) -> str:
    """The signature of a body as Sinch computes it, in Base64; `timestamp` is UNIX seconds."""
    signed = body + f".{nonce}.{timestamp}".encode(errors="surrogateescape")
    return base64.b64encode(hmac.digest(secret.encode(), signed, "sha256")).decode()


def signed_headers(secret: str, body: bytes, *, nonce: str, timestamp: str) -> dict[str, str]:
    """The headers that carry the signature of a body."""
    return {
        SIGNATURE: sign(secret, body, nonce, timestamp),
        NONCE: nonce,
        TIMESTAMP: timestamp,
        ALGORITHM: HMAC_SHA256,
    }


def verify_signature(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now_seconds: float) -> Verdict:
    """Say whether one of the secrets signed this body; several are held during rotation.

    Header names are in lower case, `now_seconds` is UNIX time. A signature that is right but more than five
    minutes off our clock is `stale`: a replay changes nothing, and Sinch may repeat a callback for a day
    without signing it anew. No secret: `not_checked`.
    """
    if not secrets:
        return Verdict.not_checked
    given, nonce, timestamp = headers.get(SIGNATURE), headers.get(NONCE), headers.get(TIMESTAMP)
    if given is None or nonce is None or timestamp is None or headers.get(ALGORITHM) != HMAC_SHA256:
        return Verdict.forged
    offered = given.encode(errors="surrogateescape")
    # Every secret is compared, so that the time taken doesn't say which one matched.
    matches = [hmac.compare_digest(sign(secret, body, nonce, timestamp).encode(), offered) for secret in secrets]
    if not any(matches):
        return Verdict.forged
    try:
        age_seconds = abs(now_seconds - float(timestamp))
    except ValueError:
        return Verdict.stale
    # Written so that a timestamp of "nan" is stale too.
    return Verdict.genuine if age_seconds <= MAX_AGE_SECONDS else Verdict.stale


def with_secrets(verdict_of: Callable[[Callable[[Secret], str]], Verdict]) -> Verdict:
    """A verdict by secrets as they were read a moment ago, and where that is `forged`, as they are now.

    One may just have been changed, and what is answered 401 may never come again. Raises `ConfigurationError` when
    one can't be read.
    """
    verdict = verdict_of(Secret.recent)
    return verdict_of(Secret.value) if verdict is Verdict.forged else verdict
