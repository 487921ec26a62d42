"""The settings of a whole connector, as `connector.toml` or a host's dictionary gives them."""

from dataclasses import dataclass
from typing import Annotated, Literal

from phonenumbers import SUPPORTED_REGIONS
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from connector.extension.provider import IntegrationSettings
from connector.extension.sink import SinkSettings

# fmt: off
WITHOUT_REPORTS = (
    "BD", "BJ", "BR", "BI", "KH", "DE", "GP", "GU", "HK", "ID", "KW", "MY", "MH", "MR", "MX", "NR", "MP",
    "PK", "PA", "PG", "PE", "WS", "SB", "SS", "LK", "SD", "TJ", "TL", "TO", "TV", "UZ", "VE", "VN", "WF",
)
# fmt: on
"""Countries whose operators don't report deliveries; a report that comes all the same is used."""

SENDER = r"^(\+?[0-9]{1,15}|.{1,11})$"
"""A phone number or short code, or up to eleven characters: what networks can show as a sender."""


def _known_country(code: str) -> str:
    if code not in SUPPORTED_REGIONS:
        raise ValueError(
            f'no country has the code "{code}"; give its two-letter code of ISO 3166-1, such as "SE" or "GB"'
        )
    return code


Country = Annotated[
    str,
    Field(pattern="^[A-Z]{2}$", examples=["SE"], description="The two-letter code of ISO 3166-1, in capitals."),
    AfterValidator(_known_country),
]


class Table(BaseModel):
    """One table of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Account(Table):
    """What a provider limits; the integrations on it share its pace."""

    messages_per_second: Annotated[
        float, Field(gt=0, title="Messages per second", description="Pace of all dispatches on this account together.")
    ]


class Sender(Table):
    """What recipients see as the origin of a message."""

    value: Annotated[
        str,
        Field(
            pattern=SENDER,
            examples=["Shop"],
            title="Value",
            description="A phone number, a short code, or up to eleven characters.",
        ),
    ]
    countries: Annotated[
        tuple[Country, ...],
        Field(title="Countries", description="Where this sender is used; empty: everywhere."),
    ] = ()


class Category(Table):
    """A kind of campaign, and the rules that go with it."""

    kind: Annotated[
        Literal["marketing", "transactional"],
        Field(title="Kind", description="Marketing needs consent; transactional messages are asked for."),
    ]


class Defaults(Table):
    """What a campaign gets that doesn't say."""

    integration: Annotated[
        str | None, Field(title="Integration", description="A name from [integrations].", examples=["sms-eu"])
    ] = None
    sender: Annotated[str | None, Field(title="Sender", description="A name from [senders].", examples=["shop"])] = None


class Storage(Table):
    """Where the ledger is."""

    # A database URL may carry a password, so it is neither shown in messages nor in the repr.
    url: Annotated[
        str,
        Field(
            pattern=r"^sqlite:///.+$",
            examples=["sqlite:///connector.db"],
            title="URL",
            description="A SQLite file; a relative path starts at the folder of the configuration file.",
            json_schema_extra={"writeOnly": True},
            repr=False,
        ),
    ] = "sqlite:///connector.db"


class Server(Table):
    """Where providers reach `connector serve`."""

    public_url: Annotated[
        str | None,
        Field(
            pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
            examples=["https://hooks.example.com"],
            title="Public URL",
            description="Where the provider reaches this server; absent: reports are polled.",
        ),
        AfterValidator(lambda url: url.rstrip("/") if url else url),
    ] = None
    host: Annotated[str, Field(min_length=1, title="Host", description="The address to listen on.")] = "127.0.0.1"
    port: Annotated[
        int, Field(ge=0, le=65535, title="Port", description="The port to listen on; 0: any that is free.")
    ] = 8080


class Tracking(Table):
    """How long reports are waited for, and what happens to what is in doubt."""

    waiting_period_days: Annotated[
        float, Field(gt=0, title="Waiting period in days", description="How long a final report is waited for.")
    ] = 4
    doubt_window_seconds: Annotated[
        float,
        Field(
            ge=0,
            title="Doubt window in seconds",
            description="How long past its deadline a batch must be missing at the provider to count as not accepted.",
        ),
    ] = 900
    on_absent: Annotated[
        Literal["resend", "hold"],
        Field(title="When absent", description="What is done with a batch that was in doubt and wasn't accepted."),
    ] = "resend"
    resend_lead_seconds: Annotated[
        float,
        Field(
            ge=0,
            title="Resend lead in seconds",
            description="A resend fires this much later, and is looked up once more before.",
        ),
    ] = 300
    countries_without_reports: Annotated[
        tuple[Country, ...],
        Field(
            title="Countries without reports",
            description="Messages to these are marked as expecting no report; one that comes all the same is used.",
        ),
    ] = WITHOUT_REPORTS


class Limits(Table):
    """What keeps a dispatch from doing harm by itself."""

    missed_schedule_minutes: Annotated[
        float,
        Field(
            ge=0,
            title="Missed schedule in minutes",
            description="A campaign that could not begin within this time after its send_at waits for a person.",
        ),
    ] = 60
    stop_at_error_rate: Annotated[
        float | None,
        Field(
            gt=0,
            le=1,
            examples=[0.2],
            title="Stop at error rate",
            description="A dispatch of which more than this share failed is paused until a person resumes it; "
            "absent: none is.",
        ),
    ] = None
    stop_after_messages: Annotated[
        int,
        Field(ge=1, title="Stop after messages", description="So many must have come to an end before a share counts."),
    ] = 200
    messages_per_day: Annotated[
        int | None,
        Field(
            ge=1,
            title="Messages per day",
            description="The dispatch that would send more than these within 24 hours is paused; absent: none is.",
        ),
    ] = None


class Screening(Table):
    """Who is not messaged."""

    default_region: Annotated[
        Country | None,
        Field(
            title="Default region",
            description="The country of numbers that are written with a single leading 0; absent: they are invalid.",
        ),
    ] = None


class Tables(Table):
    """The tables that are the same whatever plugins are loaded."""

    accounts: Annotated[
        dict[str, Account],
        Field(
            title="Accounts",
            description="Pace of each account.",
            json_schema_extra={
                "propertyNames": {
                    "type": "string",
                    "pattern": r"^[^:\s]+:\S+$",
                    "examples": ["PROVIDER:ACCOUNT"],
                    "description": "The name of an account is its provider's name, a colon and its id there.",
                }
            },
        ),
    ] = {}
    senders: Annotated[dict[str, Sender], Field(title="Senders", description="Senders by name.")] = {}
    categories: Annotated[dict[str, Category], Field(title="Categories", description="Categories by name.")] = {}
    defaults: Defaults = Defaults()
    storage: Storage = Storage()
    server: Server = Server()
    tracking: Tracking = Tracking()
    screening: Screening = Screening()
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class ConfiguredIntegration:
    """One configured use of a provider, checked."""

    name: str
    provider: str
    settings: IntegrationSettings
    """An instance of the provider's `Settings`; its secrets can be read."""


@dataclass(frozen=True, slots=True)
class ConfiguredSink:
    """One configured sink, checked."""

    name: str
    kind: str
    """The name of the class that a plugin offers."""
    settings: SinkSettings
    """An instance of that class's `Settings`; its secrets can be read."""


class Settings(Tables):
    """The settings of a whole connector, checked."""

    integrations: dict[str, ConfiguredIntegration] = {}
    sinks: dict[str, ConfiguredSink] = {}
