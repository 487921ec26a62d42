"""What the cassettes of the Sinch SMS API are recorded from, and what stands in them in place of the real.

Recorded from the simulator, unless the environment names a real account; `cassettes/sinch-sms/README.md` says how.
"""

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pydantic_core import from_json, to_json
from sinch_sms_kit import secret

PLAN, PROJECT, SENDER, RUN = "PLAN", "PROJECT", "Shop", "cassette"
PERSON = "12015550101"
"""Who gets the messages; the simulator's have these ends."""
NUMBER_OF_PLAN = "12015550100"
DELIVERED, FAILED, REJECTED = PERSON, "447700900102", "46701740603"
ENDINGS = {"0101": "Delivered:0", "0102": "Failed:150", "0603": "Rejected:61"}
AUTH_URL, PLAN_URL, PROJECT_URL = (
    "https://auth.sinch.com",
    "https://eu.sms.api.sinch.com",
    "https://zt.eu.sms.api.sinch.com",
)
SIMULATED = {
    "SINCH_SERVICE_PLAN_ID": "simulated-plan",
    "SINCH_API_TOKEN": "simulated-token",
    "SINCH_PROJECT_ID": "simulated-project",
    "SINCH_KEY_ID": "simulated-key",
    "SINCH_KEY_SECRET": "simulated-key-secret",
}
SHOWN_HEADERS = ("content-type", "date", "retry-after", "www-authenticate")
LISTS = ("batches", "delivery_reports", "inbounds")

_START_DATE = re.compile(r"(?<=start_date=)[^&]+")
_WISHED_TIMES = re.compile(r'(?<="send_at":")[^"]+|(?<="expire_at":")[^"]+')
_A_TIME = "2026-12-01T09:00:00.000Z"


@dataclass
class Recorded:
    """One service plan or project, as the tests use it: the real one while recording, a made-up one in replay."""

    settings: dict[str, Any]
    person: str = PERSON
    sender: str = SENDER
    run: str = RUN
    """Begins every reference, so that no two recordings find each other's batches."""
    now: datetime = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
    simulator_url: str | None = None
    """Where the simulator is that is recorded from; None: nothing is recorded, or a real account."""
    hidden: dict[str, str] = field(default_factory=dict)
    """What was real to what stands for it."""

    @property
    def tomorrow(self) -> datetime:
        return self.now + timedelta(days=1)


def replayed(*, by_project: bool) -> Recorded:
    """What the cassettes know: nothing real."""
    return Recorded(_settings(by_project, {}))


def recorded(*, by_project: bool, simulator_url: str | None) -> Recorded:
    """What is recorded from: the simulator at this address, or the account that the environment names."""
    real = simulator_url is None
    given = os.environ if real else SIMULATED
    made = Recorded(
        _settings(by_project, given, simulator_url),
        run=f"r{secrets.token_hex(4)}",
        now=datetime.now(UTC),
        simulator_url=simulator_url,
    )
    if real:
        assert by_project or {"SINCH_TO", "SINCH_FROM"} <= given.keys(), "Set SINCH_TO and SINCH_FROM, too."
        made.person = given.get("SINCH_TO", PERSON).lstrip("+")
        made.sender = given.get("SINCH_FROM", SENDER).lstrip("+")
    made.hidden = {made.person: PERSON, made.run: RUN}
    # In quotes, as a name of few letters may stand in any word.
    made.hidden |= {f"{quote}{made.sender}{quote}": f"{quote}{SENDER}{quote}" for quote in ("'", '"')}
    for name, shown in (
        ("SINCH_SERVICE_PLAN_ID", PLAN),
        ("SINCH_PROJECT_ID", PROJECT),
        ("SINCH_API_TOKEN", "API-TOKEN"),
        ("SINCH_KEY_ID", "KEY"),
        ("SINCH_KEY_SECRET", "KEY-SECRET"),
    ):
        if given.get(name):
            made.hidden[given[name]] = shown
    return made


def is_real(*, by_project: bool) -> bool:
    """Whether the environment names a real account of this kind to record from."""
    return ("SINCH_PROJECT_ID" if by_project else "SINCH_SERVICE_PLAN_ID") in os.environ


def _settings(by_project: bool, given: Mapping[str, str], url: str | None = None) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "region": given.get("SINCH_REGION", "eu"),
        "base_url": url or given.get("SINCH_BASE_URL"),
        "delivery_feedback": True,
    }
    if not by_project:
        token = given.get("SINCH_API_TOKEN", "API-TOKEN")
        return settings | {
            "service_plan_id": given.get("SINCH_SERVICE_PLAN_ID", PLAN),
            "api_token": secret(token),
        }
    return settings | {
        "service_plan_id": None,
        "api_token": None,
        "project_id": given.get("SINCH_PROJECT_ID", PROJECT),
        "key_id": given.get("SINCH_KEY_ID", "KEY"),
        "key_secret": secret(given.get("SINCH_KEY_SECRET", "KEY-SECRET")),
        "auth_url": url or given.get("SINCH_AUTH_URL"),
    }


class Hiding:
    """Puts the made-up in place of the real, before anything is written or compared."""

    def __init__(self) -> None:
        self.hide(replayed(by_project=False))

    def hide(self, recorded: Recorded) -> None:
        """From now on hide what is real of this."""
        self._run = recorded.run
        self._person = recorded.person
        # The longest first: one may be a part of another.
        self._hidden = dict(sorted(recorded.hidden.items(), key=lambda each: -len(each[0])))

    def request(self, request: Any) -> Any:
        """A request without host, account, credentials, people and times; None: it is not the API's."""
        address = urlsplit(request.uri)
        path = self._text(address.path)
        if not self._hidden:
            # In replay nothing is real, and hosts have to be the right ones.
            host = f"{address.scheme}://{address.netloc}"
        elif path.startswith("/oauth2/"):
            host = AUTH_URL
        elif path.startswith("/xms/"):
            host = PROJECT_URL if path.split("/")[3] == PROJECT else PLAN_URL
        else:
            # Somebody is made to write to the simulator.
            return None
        query = _START_DATE.sub(_A_TIME, self._text(address.query))
        request.uri = urlunsplit((*urlsplit(host)[:2], path, query, ""))
        if request.body:
            request.body = _WISHED_TIMES.sub(_A_TIME, self._text(request.body.decode())).encode()
        kind = request.headers.get("content-type")
        request.headers = {} if kind is None else {"content-type": kind}
        return request

    def response(self, response: dict[str, Any]) -> dict[str, Any]:
        """An answer without them, and without what others sent by the same account."""
        response["headers"] = {
            name.lower(): values for name, values in response["headers"].items() if name.lower() in SHOWN_HEADERS
        }
        content = response["body"]["string"]
        try:
            said = from_json(content)
        except ValueError:
            said = None
        if isinstance(said, dict):
            if "access_token" in said:
                said["access_token"] = "ACCESS-TOKEN"
            for name in LISTS:
                if isinstance(said.get(name), list):
                    said[name] = [entry for entry in said[name] if self._is_ours(entry)]
                    said |= {"count": len(said[name]), "page_size": len(said[name])}
            for inbound in said.get("inbounds", ()):
                inbound |= {"to": NUMBER_OF_PLAN, "body": "Yes, please"}
            content = to_json(said)
        response["body"]["string"] = self._text(content.decode()).encode()
        return response

    def _is_ours(self, entry: dict[str, Any]) -> bool:
        reference = entry.get("client_reference") or ""
        return str(reference).startswith(self._run) or str(entry.get("from")).lstrip("+") == self._person

    def _text(self, text: str) -> str:
        for real, shown in self._hidden.items():
            text = text.replace(f"+{real}", shown).replace(f"%2B{real}", shown).replace(real, shown)
        return text
