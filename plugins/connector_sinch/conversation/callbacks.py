"""Who may call back."""

from collections.abc import Sequence

from connector.model.callback import Request, Verdict
from connector_sinch.signature import verify_signature


def verify(request: Request, secrets: Sequence[str], *, now_seconds: float) -> Verdict:
    """By the webhook's signature; not checked where no secret is set."""
    return verify_signature(request.headers, request.body, secrets, now_seconds=now_seconds)
