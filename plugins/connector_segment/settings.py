"""Settings of a Segment source."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from connector.extension import Secret
from connector.extension.neutral import NeutralSettings
from connector.model.event import Status

HOSTS = {"us": "https://api.segment.io", "eu": "https://events.eu1.segmentapis.com"}

NAMES: Mapping[Status, str] = {
    Status.enqueued: "SMS Enqueued",
    Status.enqueue_failed: "SMS Enqueue Failed",
    Status.delivered: "SMS Delivered",
    Status.rejected: "SMS Rejected",
    Status.failed: "SMS Failed",
    Status.skipped: "SMS Skipped",
    Status.read: "SMS Read",
    Status.unconfirmed: "SMS Unconfirmed",
    Status.unknown: "SMS Unknown",
    Status.replied: "SMS Received",
    Status.clicked: "SMS Link Clicked",
    Status.opted_out: "SMS Opted Out",
    Status.opted_in: "SMS Opted In",
}
"""What an event is called unless the settings say otherwise."""


class SegmentSettings(NeutralSettings):
    """A source of a Segment workspace.

    Source: Segment's documentation, page "HTTP API Source".
    """

    write_key: Annotated[
        Secret, Field(title="Write key", description="Of the source; the workspace shows it under Settings, API Keys.")
    ]
    region: Annotated[
        Literal["us", "eu"],
        Field(
            title="Region",
            description="Where the workspace lives; what goes to the wrong one is lost there without any word.",
        ),
    ]
    base_url: Annotated[
        str | None,
        Field(
            title="Base URL",
            description="A simulator or proxy in place of the region's host.",
            pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
            examples=["http://127.0.0.1:9000"],
        ),
    ] = None
    without_id: Annotated[
        Literal["refuse", "anonymous", "leave_out"],
        Field(
            title="Without an ID",
            description="refuse: a campaign with recipients who have no customer_id is not sent; anonymous: their "
            "events come under the number, as it is shown to this sink; leave_out: they are left out here.",
        ),
    ] = "refuse"
    events: Annotated[
        dict[Status, Annotated[str, Field(min_length=1)]],
        Field(
            default_factory=dict,
            title="Events",
            description="A status to the name of its event; what isn't named is called SMS Delivered and the like.",
        ),
    ]

    @model_validator(mode="after")
    def _nobody_is_known_by_nothing(self) -> "SegmentSettings":
        if self.without_id == "anonymous" and self.recipient == "left_out":
            raise ValueError('without_id = "anonymous" uses the phone number, so recipient can\'t be "left_out"')
        return self

    @property
    def url(self) -> str:
        return self.base_url or HOSTS[self.region]

    def name_of(self, status: Status) -> str:
        """The name of an event with this status."""
        return self.events.get(status) or NAMES.get(status) or f"SMS {status.replace('_', ' ').title()}"
