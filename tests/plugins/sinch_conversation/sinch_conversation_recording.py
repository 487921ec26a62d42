"""What the cassettes of the Sinch Conversation API are recorded from, and what stands in them in place of the real.

Recorded from the simulator, unless the environment names a real app; `cassettes/sinch-conversation/README.md` says how.
"""

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from connector_sinch.conversation.settings import ConversationSettings
from connector_sinch.conversation.simulator import SIMULATOR
from connector_sinch.tokens import AUTH_URL
from recording import Hiding
from sinch_conversation_kit import NOW, secret

API_URL, BATCH_URL = "https://eu.conversation.api.sinch.com", "https://eu.conversationbatch.api.sinch.com"
SENDER, RUN, PERSON, NUMBER_OF_APP = "Shop", "cassette", "12015550101", "12015550100"
SHOWN = {
    "SINCH_PROJECT_ID": "PROJECT",
    "SINCH_APP_ID": "APP",
    "SINCH_KEY_ID": "KEY",
    "SINCH_KEY_SECRET": "KEY-SECRET",
}
"""What names an app, and what stands for it."""
WEBHOOK_SECRET = "WEBHOOK-SECRET"
SIMULATED = {
    "SINCH_PROJECT_ID": "simulated-project",
    "SINCH_APP_ID": SIMULATOR.Options().app_id,
    "SINCH_KEY_ID": "simulated-key",
    "SINCH_KEY_SECRET": "simulated-key-secret",
}
SIMULATED_WEBHOOK_SECRET = "simulated-callback-secret"
APP_FIELDS = ("id", "processing_mode", "dispatch_retention_policy", "retention_policy", "rate_limits")
"""What is shown of an app beside its channels: anything else may say whose it is."""


@dataclass
class Recorded:
    """One app, as the tests use it: the real one while recording, a made-up one in replay."""

    settings: dict[str, Any]
    person: str = PERSON
    sender: str = SENDER
    run: str = RUN
    """Begins every key, so that no two recordings find each other's batches."""
    now: datetime = NOW
    simulator_url: str | None = None
    """Where the simulator is that is recorded from; None: nothing is recorded, or a real app."""
    hidden: dict[str, str] = field(default_factory=dict)
    """What was real to what stands for it."""

    @property
    def tomorrow(self) -> datetime:
        return self.now + timedelta(days=1)

    @property
    def app(self) -> str:
        return str(self.settings["app_id"])


def replayed() -> Recorded:
    """What the cassettes know: nothing real."""
    return Recorded(_settings({}, None))


def recorded(simulator_url: str | None) -> Recorded:
    """What is recorded from: the simulator at this address, or the app that the environment names."""
    given = os.environ if simulator_url is None else SIMULATED
    made = Recorded(
        _settings(given, simulator_url),
        run=f"r{secrets.token_hex(4)}",
        now=datetime.now(UTC),
        simulator_url=simulator_url,
    )
    if simulator_url is None:
        assert {*SHOWN, "SINCH_TO"} <= given.keys(), f"Set {', '.join(SHOWN)} and SINCH_TO."
        made.person = given["SINCH_TO"].lstrip("+")
        made.sender = given.get("SINCH_FROM", SENDER).lstrip("+")
    made.hidden = {made.person: PERSON, made.run: RUN, SIMULATED_WEBHOOK_SECRET: WEBHOOK_SECRET}
    # In quotes, as a name of few letters may stand in any word; a transcoded message is JSON within JSON.
    made.hidden |= {
        f"{begin}{plus}{made.sender}{end}": f"{begin}{SENDER}{end}"
        for begin, end in (('"', '"'), ('\\"', '\\"'))
        for plus in ("", "+")
    }
    made.hidden |= {given[name]: shown for name, shown in SHOWN.items()}
    return made


def is_real() -> bool:
    """Whether the environment names a real app to record from."""
    return "SINCH_APP_ID" in os.environ


def _settings(given: Mapping[str, str], url: str | None) -> dict[str, Any]:
    named = {name: given.get(name, shown) for name, shown in SHOWN.items()}
    return {
        "project_id": named["SINCH_PROJECT_ID"],
        "app_id": named["SINCH_APP_ID"],
        "key_id": named["SINCH_KEY_ID"],
        "key_secret": secret(named["SINCH_KEY_SECRET"]),
        "webhook_secret": secret(SIMULATED_WEBHOOK_SECRET if url else WEBHOOK_SECRET),
        "region": given.get("SINCH_REGION", "eu"),
        "base_url": url or given.get("SINCH_BASE_URL"),
        # By its name the host of batches is told from the other one, at the same port.
        "batch_base_url": url.replace("127.0.0.1", "localhost") if url else given.get("SINCH_BATCH_BASE_URL"),
        "auth_url": url or given.get("SINCH_AUTH_URL"),
    }


class ConversationHiding(Hiding):
    """Hides what is real of one app and its project."""

    since = re.compile(r"(?<=start_time=)[^&]+")
    wished_times = re.compile(r'(?<="send_after":")[^"]+')

    def __init__(self) -> None:
        super().__init__()
        self.hide(replayed())

    def hide(self, recorded: Recorded) -> None:
        """From now on hide what is real of this."""
        self._recorded = recorded
        self._batch_host = urlsplit(ConversationSettings(**recorded.settings).batch_url).netloc
        self.hide_texts(recorded.hidden)

    def host_of(self, address: Any, path: str) -> str | None:
        if path.startswith("/oauth2/"):
            return AUTH_URL
        if not path.startswith("/v1/projects/"):
            # Somebody is made to write to the simulator.
            return None
        return BATCH_URL if address.netloc == self._batch_host else API_URL

    def show(self, said: Any) -> Any:
        if isinstance(said, list):
            return [entry for entry in said if self._is_our_batch(entry)]
        if "channel_credentials" in said:
            return self._shown(said)
        if isinstance(said.get("apps"), list):
            said["apps"] = [self._shown(app) for app in said["apps"] if app["id"] in (self._recorded.app, "APP")]
        if isinstance(said.get("batches"), list):
            said["batches"] = self.show(said["batches"])
        if isinstance(said.get("messages"), list):
            said["messages"] = [
                {**message, "contact_message": {"text_message": {"text": "Yes, please"}}, "sender_id": NUMBER_OF_APP}
                for message in said["messages"]
                if message["channel_identity"]["identity"].lstrip("+") == self._recorded.person
            ]
        return said

    def _is_our_batch(self, entry: dict[str, Any]) -> bool:
        return str(entry.get("meta_data", {}).get("batch")).startswith(self._recorded.run)

    @staticmethod
    def _shown(app: dict[str, Any]) -> dict[str, Any]:
        channels = [
            {name: value for name, value in _masked(each).items() if name != "state"}
            | {"channel": each["channel"], "state": {"status": each.get("state", {}).get("status")}}
            for each in app["channel_credentials"]
        ]
        signed = app.get("callback_settings", {}).get("secret_for_overridden_callback_urls")
        shown = {name: app[name] for name in APP_FIELDS if name in app}
        shown |= {"display_name": "Shop", "channel_credentials": channels}
        if signed:
            # The one that a test has set is looked for; any other one stays the app's own.
            known = signed in (SIMULATED_WEBHOOK_SECRET, WEBHOOK_SECRET)
            shown["callback_settings"] = {"secret_for_overridden_callback_urls": signed if known else "HIDDEN"}
        return shown


def _masked(value: Any) -> Any:
    """The same with its words hidden."""
    if isinstance(value, dict):
        return {name: _masked(each) for name, each in value.items()}
    return "HIDDEN" if value and isinstance(value, str) else value
