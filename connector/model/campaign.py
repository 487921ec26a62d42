"""A campaign: what is sent, without the people it goes to."""

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from connector.model.text import HOST_TEXT, parameters


class Message(BaseModel):
    """What the recipients get: a text, or a provider's own kinds of message beside it."""

    model_config = ConfigDict(extra="allow")

    text: Annotated[
        str | None,
        Field(
            title="Text",
            description="Every ${name} is filled from the recipient; $${ stands for a literal ${.",
        ),
    ] = None
    defaults: Annotated[
        dict[str, Annotated[str, Field(min_length=1)]],
        Field(title="Defaults", description="Values for recipients that have none."),
    ] = {}

    def parameters_beside(self, text: str) -> tuple[str, ...]:
        """The parameters that are used elsewhere than in the text of a batch: its own, or one that stands for it."""
        own = () if text in (self.text, HOST_TEXT) else parameters(self.text)
        return tuple(dict.fromkeys((*own, *parameters(self.model_extra))))


class Campaign(BaseModel):
    """What is sent: name, integration, sender, message, category, schedule."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(title="Name", min_length=1, max_length=200)]
    message: Message
    id: Annotated[
        str | None,
        Field(title="Id", max_length=200, description="The platform's own id; comes back in every event."),
    ] = None
    integration: Annotated[
        str | None,
        Field(title="Integration", description="A name from [integrations]; absent: the default one."),
    ] = None
    sender: Annotated[
        str | Annotated[tuple[str, ...], Field(min_length=1)] | None,
        Field(
            title="Sender",
            description="A name from [senders], or a literal; or several, chosen by the recipient's country. "
            "Absent: the default one.",
        ),
    ] = None
    category: Annotated[
        str | None,
        Field(
            title="Category",
            description="A name from [categories]; absent: the strictest marketing rules.",
        ),
    ] = None
    max_parts: Annotated[
        int,
        Field(title="Most parts", ge=1, le=255, description="A recipient whose text needs more is skipped."),
    ] = 30
    send_at: Annotated[
        AwareDatetime | None,
        Field(title="Send at", description="With an offset: 2026-12-01T09:00:00+01:00, or local in time_zone."),
    ] = None
    expire_at: Annotated[
        AwareDatetime | None,
        Field(title="Expire at", description="Not delivered after this time."),
    ] = None
    time_zone: Annotated[
        str | None,
        Field(
            title="Time zone",
            examples=["Europe/Stockholm"],
            description="Of times that are written without an offset; a name of the IANA database.",
        ),
    ] = None
    metadata: Annotated[
        dict[str, Any],
        Field(title="Metadata", description="Comes back in every event; never sent to the provider."),
    ] = {}

    @property
    def senders(self) -> tuple[str, ...]:
        """The senders that it names."""
        if self.sender is None:
            return ()
        return (self.sender,) if isinstance(self.sender, str) else self.sender
