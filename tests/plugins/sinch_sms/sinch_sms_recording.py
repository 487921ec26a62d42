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

from connector_sinch.tokens import AUTH_URL
from recording import Hiding
from sinch_sms_kit import secret

PLAN, PROJECT, SENDER, RUN = "PLAN", "PROJECT", "Shop", "cassette"
PERSON = "12015550101"
"""Who gets the messages; the simulator's have these ends."""
NUMBER_OF_PLAN = "12015550100"
DELIVERED, FAILED, REJECTED = PERSON, "447700900102", "46701740603"
ENDINGS = {"0101": "Delivered:0", "0102": "Failed:150", "0603": "Rejected:61"}
PLAN_URL, PROJECT_URL = "https://eu.sms.api.sinch.com", "https://zt.eu.sms.api.sinch.com"
SIMULATED = {
    "SINCH_SERVICE_PLAN_ID": "simulated-plan",
    "SINCH_API_TOKEN": "simulated-token",
    "SINCH_PROJECT_ID": "simulated-project",
    "SINCH_KEY_ID": "simulated-key",
    "SINCH_KEY_SECRET": "simulated-key-secret",
}
LISTS = ("batches", "delivery_reports", "inbounds")


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
    made.hidden = {f"{plus}{made.person}": PERSON for plus in ("", "+", "%2B")} | {made.run: RUN}
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


class SmsHiding(Hiding):
    """Hides what is real of one service plan or project."""

    since = re.compile(r"(?<=start_date=)[^&]+")
    wished_times = re.compile(r'(?<="send_at":")[^"]+|(?<="expire_at":")[^"]+')

    def __init__(self) -> None:
        super().__init__()
        self.hide(replayed(by_project=False))

    def hide(self, recorded: Recorded) -> None:
        """From now on hide what is real of this."""
        self._run = recorded.run
        self._person = recorded.person
        self.hide_texts(recorded.hidden)

    def host_of(self, address: Any, path: str) -> str | None:
        if path.startswith("/oauth2/"):
            return AUTH_URL
        if path.startswith("/xms/"):
            return PROJECT_URL if path.split("/")[3] == PROJECT else PLAN_URL
        # Somebody is made to write to the simulator.
        return None

    def show(self, said: Any) -> Any:
        if not isinstance(said, dict):
            return said
        for name in LISTS:
            if isinstance(said.get(name), list):
                said[name] = [entry for entry in said[name] if self._is_ours(entry)]
                said |= {"count": len(said[name]), "page_size": len(said[name])}
        for inbound in said.get("inbounds", ()):
            inbound |= {"to": NUMBER_OF_PLAN, "body": "Yes, please"}
        return said

    def _is_ours(self, entry: dict[str, Any]) -> bool:
        reference = entry.get("client_reference") or ""
        return str(reference).startswith(self._run) or str(entry.get("from")).lstrip("+") == self._person
