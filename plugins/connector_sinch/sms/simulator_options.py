"""What the simulated SMS API can be told."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from connector.simulator import Options
from connector.simulator.options import Seconds
from connector.simulator.outcomes import OutcomeMix

OUTCOMES: Mapping[str, float] = {
    "Delivered:0": 95.0,
    "Failed:150": 0.5,  # unknown subscriber
    "Failed:153": 0.8,  # absent subscriber
    "Failed:158": 0.4,  # memory full
    "Failed:15": 0.3,  # screening block
    "Rejected:61": 1.0,  # destination blocked
    "Expired:202": 1.0,  # no page response
    "Deleted:257": 0.5,  # on the network's barring list
    "Unknown:155": 0.5,  # the network's own failure
}

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]+$")]


class SmsOptions(Options):
    """A simulated service plan, which is a project's as well.

    Both ways to authenticate are open at any time; `authentication` says which one the printed configuration uses.
    """

    outcomes: OutcomeMix = Field(default_factory=lambda: dict(OUTCOMES))
    """What becomes of messages: outcome, written `Status:code`, to its weight."""
    authentication: Literal["service_plan", "project"] = "service_plan"
    """What the printed configuration uses: the service plan with its API token, or the project with its access key."""
    service_plan_id: Id = "simulated-plan"
    """The service plan's ID."""
    api_token: str = "simulated-token"
    """The service plan's API token."""
    project_id: Id = "simulated-project"
    """The project's ID."""
    key_id: Annotated[str, Field(pattern=r"^[^:]+$")] = "simulated-key"
    """The ID of the project's access key."""
    key_secret: str = "simulated-key-secret"
    """The secret of the project's access key."""
    token_life_seconds: Annotated[Seconds, Field(gt=0)] = 3600.0
    """How long an access token of the project is good."""
    after_end_of_sale: bool = False
    """Whether the project was made after the SMS API's end of sale: its access key is refused here then."""
    callback_secret: str | None = "simulated-callback-secret"
    """Signs callbacks; without it they carry no signature, as on an account where Sinch hasn't enabled it."""
    callback_username: Annotated[str, Field(pattern=r"^[^:]+$")] | None = None
    """Basic authentication of callbacks, where Sinch was asked to send it: the user name."""
    callback_password: str | None = None
    """The password that goes with it."""
    callback_url: str | None = None
    """The plan's own address for callbacks: for inbound messages, and for batches that name none."""
    reply_references: bool = False
    """Whether an inbound message carries the client reference of the batch that it answers."""

    @model_validator(mode="after")
    def _user_and_password_together(self) -> "SmsOptions":
        if (self.callback_username is None) != (self.callback_password is None):
            raise ValueError("callback_username and callback_password are given together or not at all.")
        return self
