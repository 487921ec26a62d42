"""Sinch's access tokens, which are the same for all of its APIs: where they come from, and why one is refused."""

from connector.model.codes import Turn
from connector.model.outcome import Scope

AUTH_URL = "https://auth.sinch.com"
TOKEN_PATH = "/oauth2/token"


def token_url(auth_url: str | None) -> str:
    """Where tokens come from; `auth_url` stands in the place of Sinch's own host."""
    return (auth_url or AUTH_URL).rstrip("/") + TOKEN_PATH


# code: (meaning, whose turn, scope, whether sending again may help); RFC 6749, section 5.2
REFUSALS: dict[str, tuple[str, Turn, Scope, bool | None]] = {
    "invalid_client": ("The access key is wrong: its ID or its secret.", Turn.integrator, Scope.account, False),
    "invalid_request": ("The request for an access token was not understood.", Turn.provider, Scope.account, False),
    "unauthorized_client": ("The access key may not get access tokens.", Turn.integrator, Scope.account, False),
    "unsupported_grant_type": (
        "This kind of request for a token is not offered.",
        Turn.provider,
        Scope.account,
        False,
    ),
}
