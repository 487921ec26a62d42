"""What the cassettes of the Tracking API are recorded from, and what stands in them in place of the real.

Recorded from the simulator, unless the environment names a real project; `cassettes/bloomreach/README.md` says how.
"""

from collections.abc import Mapping
from typing import Any

from connector_bloomreach.settings import BloomreachSettings
from connector_bloomreach.simulator import SIMULATOR
from connector_bloomreach.simulator_options import BloomreachOptions
from recording import Hiding
from sink_recording import Account, secret

API_URL = "https://api.exponea.com"
_OPTIONS = BloomreachOptions()
PROJECT = Account(
    simulator=SIMULATOR,
    address="BLOOMREACH_BASE_URL",
    url=API_URL,
    shown={
        "BLOOMREACH_PROJECT_TOKEN": "PROJECT",
        "BLOOMREACH_API_KEY_ID": "KEY",
        "BLOOMREACH_API_SECRET": "API-SECRET",
        "BLOOMREACH_API_TOKEN": "API-TOKEN",
    },
    simulated={
        "BLOOMREACH_PROJECT_TOKEN": _OPTIONS.project_token,
        "BLOOMREACH_API_KEY_ID": _OPTIONS.api_key_id,
        "BLOOMREACH_API_SECRET": _OPTIONS.api_secret,
        "BLOOMREACH_API_TOKEN": _OPTIONS.api_token,
    },
)
PRIVATE, PUBLIC = "BLOOMREACH_API_KEY_ID", "BLOOMREACH_API_TOKEN"
"""What is needed for the one kind of access, and for the other."""


def settings_of(given: Mapping[str, str], access: str, **changed: Any) -> BloomreachSettings:
    """Settings for a project, by one kind of access."""
    settings: dict[str, Any] = {
        "base_url": given["BLOOMREACH_BASE_URL"],
        "project_token": given["BLOOMREACH_PROJECT_TOKEN"],
    }
    if access == PUBLIC:
        settings["api_token"] = secret(given["BLOOMREACH_API_TOKEN"])
    else:
        settings |= {"api_key_id": given[PRIVATE], "api_secret": secret(given["BLOOMREACH_API_SECRET"])}
    return BloomreachSettings(**settings | changed)


class BloomreachHiding(Hiding):
    """Hides what is real of one project."""

    def host_of(self, address: Any, path: str) -> str | None:
        return API_URL if path.startswith("/track/v2/") else None
