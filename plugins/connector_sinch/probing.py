"""What a check tries the same way on each of Sinch's APIs: the access key, and the clocks."""

import email.utils
from collections.abc import Mapping
from datetime import UTC

from connector.extension import CheckResult
from connector.http import ClientCredentials, NoToken
from connector.model.batch import utc_now
from connector.model.errors import NotSent, Throttled

MAX_CLOCK_DIFFERENCE_SECONDS = 60.0


def access_key(credentials: ClientCredentials, advice: str) -> CheckResult:
    """Whether a token is given for an access key; `advice` is for one that is refused."""
    try:
        credentials.token()
    except NoToken as error:
        said = "" if error.http_status is None else f" {advice}"
        return CheckResult("access key", False, f"{error}{said}")
    except Throttled as error:
        return CheckResult("access key", None, f"{error} Try again in a minute.")
    except NotSent as error:
        return CheckResult("access key", False, f"{error} Check auth_url and the network.", reached=False)
    return CheckResult("access key", True, "Sinch gives a token for the access key.")


def clock(headers: Mapping[str, str]) -> CheckResult | None:
    """Whether our clock agrees with that of an answer; None: it doesn't tell the time."""
    try:
        theirs = email.utils.parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return None
    difference_seconds = abs((utc_now() - theirs.replace(tzinfo=theirs.tzinfo or UTC)).total_seconds())
    if difference_seconds <= MAX_CLOCK_DIFFERENCE_SECONDS:
        return CheckResult("clock", True, "This machine's clock agrees with the API's.")
    return CheckResult(
        "clock",
        False,
        f"This machine's clock is {difference_seconds:.0f} seconds off the API's: set it, as schedules and "
        "look-ups depend on it.",
    )
