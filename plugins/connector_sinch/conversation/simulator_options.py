"""What the simulated Conversation API can be told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from connector.model.errors import InputError
from connector.simulator import Options, Phase
from connector.simulator.options import Pace, Seconds
from connector.simulator.outcomes import Outcomes, Rules, Writing
from connector_sinch.ulid import is_ulid

Channel = Literal[
    "SMS",
    "RCS",
    "WHATSAPP",
    "MMS",
    "KAKAOTALK",
    "KAKAOTALKCHAT",
    "VIBERBM",
    "LINE",
    "INSTAGRAM",
    "MESSENGER",
    "WECHAT",
    "TELEGRAM",
    "APPLEBC",
]
"""Source: the Conversation API's schema `ConversationChannel`."""
CHANNELS: tuple[str, ...] = get_args(Channel)

DELIVERED, READ, FAILED, QUEUED = "DELIVERED", "READ", "FAILED", "QUEUED_ON_CHANNEL"

OUTCOMES: Mapping[str, float] = {
    "DELIVERED": 65.5,
    "READ": 30.0,
    "FAILED:RECIPIENT_NOT_REACHABLE": 2.0,
    "FAILED:CHANNEL_REJECT": 1.0,
    "FAILED:DELIVERY_TIMED_OUT": 1.0,
    "FAILED:RATE_LIMITED": 0.5,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a message on a channel: a delivery status, and the reason of a failure."""

    status: str
    reason: str = ""

    @classmethod
    def read(cls, text: str) -> "Outcome":
        """From `DELIVERED` or `FAILED:CHANNEL_REJECT`. Raises `InputError`."""
        status, colon, reason = text.partition(":")
        if status in (DELIVERED, READ, QUEUED) and not colon:
            return cls(status)
        if status == FAILED and reason and reason.replace("_", "").isalnum():
            return cls(status, reason)
        raise InputError(
            f"{text!r} is no outcome; write {DELIVERED}, {READ}, {QUEUED} (and nothing is heard any more), "
            f"or {FAILED} with a reason, as in FAILED:RECIPIENT_NOT_REACHABLE."
        )


_WRITING = Writing(
    Outcome.read,
    {
        "type": "string",
        "pattern": f"^({DELIVERED}|{READ}|{QUEUED}|{FAILED}:[A-Z_]+)$",
        "examples": ["FAILED:RECIPIENT_NOT_REACHABLE"],
        "description": "A delivery status; of a failure with its reason.",
    },
)
OutcomeMix = Annotated[Mapping[str, float], _WRITING.mix_check, _WRITING.mix_schema]
DigitRules = Annotated[Rules, _WRITING.digits_check, _WRITING.rules_schema]
CountryRules = Annotated[Rules, _WRITING.countries_check, _WRITING.rules_schema]


class ChannelOutcomes(BaseModel):
    """What becomes of messages on one channel; what isn't said here is as for all channels."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    outcomes: OutcomeMix | None = None
    """Outcome to its weight."""
    countries: CountryRules = Field(default_factory=dict)
    """ISO code of a country to the outcome, or mix of outcomes, of its numbers."""
    beginnings: DigitRules = Field(default_factory=dict)
    """First digits of numbers, without a plus, to their outcome or mix."""
    endings: DigitRules = Field(default_factory=dict)
    """Last digits of numbers to their outcome or mix."""


def outcomes_by_channel(held: Mapping[str, Any], seed: int) -> Callable[[str, str], Outcome]:
    """Gives what becomes of a message, by channel and number, where these settings hold."""

    def of_channel(channel: str) -> Outcomes[Outcome]:
        own: ChannelOutcomes = held["channels"].get(channel) or ChannelOutcomes()
        return Outcomes(
            own.outcomes or held["outcomes"],
            {**held["endings"], **own.endings},
            # Who isn't reached on one channel may be on the next.
            f"{seed}:{channel}",
            read=Outcome.read,
            beginnings={**held["beginnings"], **own.beginnings},
            countries={**held["countries"], **own.countries},
        )

    known: dict[str, Outcomes[Outcome]] = {}

    def of(channel: str, number: str) -> Outcome:
        if channel not in known:
            known[channel] = of_channel(channel)
        return known[channel].of(number)

    return of


class ConversationPhase(Phase):
    """A time of a scenario."""

    outcomes: OutcomeMix | None = None
    """What becomes of messages: outcome, such as `DELIVERED` or `FAILED:CHANNEL_REJECT`, to its weight."""
    countries: CountryRules | None = None
    """ISO code of a country to the outcome, or mix of outcomes, of its numbers."""
    beginnings: DigitRules | None = None
    """First digits of numbers, without a plus, to their outcome or mix."""
    endings: DigitRules | None = None
    """Last digits of numbers to their outcome or mix."""
    channels: Mapping[Channel, ChannelOutcomes] | None = None
    """Channel to what becomes of messages on it."""
    failing: Mapping[Channel, str] | None = None
    """Channel to what is wrong with the app's access to it."""


def _split(given: Any) -> Any:
    """A list as a command line has it: SMS,RCS."""
    return given.split(",") if isinstance(given, str) else given


Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]+$")]


class ConversationOptions(Options):
    """A simulated project, with one app in it."""

    outcomes: OutcomeMix = Field(default_factory=lambda: dict(OUTCOMES))
    """What becomes of messages: outcome, such as `DELIVERED` or `FAILED:CHANNEL_REJECT`, to its weight."""
    countries: CountryRules = Field(default_factory=dict)
    """ISO code of a country to the outcome, or mix of outcomes, of its numbers."""
    beginnings: DigitRules = Field(default_factory=dict)
    """First digits of numbers, without a plus, to their outcome or mix; they go before countries."""
    endings: DigitRules = Field(default_factory=dict)
    """Last digits of numbers to their outcome or mix; they go before beginnings."""
    channels: Mapping[Channel, ChannelOutcomes] = Field(default_factory=dict)
    """Channel to what becomes of messages on it, as far as it differs from the others."""
    phases: tuple[ConversationPhase, ...] = ()
    """Times in which something else holds."""
    project_id: Id = "simulated-project"
    """The project's ID."""
    key_id: Annotated[str, Field(pattern=r"^[^:]+$")] = "simulated-key"
    """The ID of the project's access key."""
    key_secret: str = "simulated-key-secret"
    """The secret of the project's access key."""
    token_life_seconds: Annotated[Seconds, Field(gt=0)] = 3600.0
    """How long an access token is good."""
    region: Literal["us", "eu", "br"] = "eu"
    """Where the app was made."""
    asked_region: Literal["us", "eu", "br"] | None = None
    """Whose hosts these are; in another region than its own the app isn't found. Without it, the app's."""
    app_id: str = "01J00000000000000000000APP"
    """The app's ID, a ULID."""
    app_channels: Annotated[tuple[Channel, ...], Field(min_length=1), BeforeValidator(_split)] = (
        "SMS",
        "WHATSAPP",
        "RCS",
        "MESSENGER",
    )
    """The channels of the app, in the order of its priority."""
    processing_mode: Literal["DISPATCH", "CONVERSATION"] = "DISPATCH"
    """Whether the app keeps contacts and conversations."""
    dispatch_retention_days: Annotated[int, Field(ge=0, le=7)] = 0
    """How long messages in dispatch mode are kept; 0: they aren't."""
    metadata_report_view: Literal["NONE", "FULL"] = "NONE"
    """Whether callbacks repeat the conversation's metadata."""
    pending_seconds: Seconds = 0.0
    """How long a new channel of an app is being set up."""
    failing: Mapping[Channel, str] = Field(default_factory=dict)
    """Channel to what is wrong with the app's access to it, once it is set up."""
    callback_secret: str | None = "simulated-callback-secret"
    """Signs callbacks to the addresses that messages name, and those of the app's first webhook."""
    webhook_url: str | None = None
    """The address of a webhook that the app has from the start, for everything that is called back."""
    callbacks_per_second: Pace = 25.0
    """How many callbacks go out in a second, at most."""
    requests_per_second: Annotated[int, Field(ge=1)] = 800
    """How many requests a second the project may make; more are told to wait."""
    queue_limit: Annotated[int, Field(ge=1)] = 500_000
    """How many messages an app's queue holds; more are told to wait."""
    session_seconds: Seconds = 24 * 3600.0
    """How long after a person wrote on WhatsApp they can be sent more than templates."""
    consent_management: bool = True
    """Whether people who opted out are sent nothing; whoever writes STOP does."""
    batch_lookup: bool = True
    """Whether batches are found by their metadata; false: asked for any, there is none."""

    @field_validator("app_id")
    @classmethod
    def _is_ulid(cls, app_id: str) -> str:
        if not is_ulid(app_id):
            raise ValueError(f"{app_id!r} is no ULID: 26 digits and capital letters, without I, L, O and U.")
        return app_id
