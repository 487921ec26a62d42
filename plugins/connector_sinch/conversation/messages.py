"""What a campaign's `[message]` may be: the API's own kinds of message, and what goes with them, in its own words.

Source: the API's OpenAPI document, the schemas `AppMessage` and `SendMessageRequest` with all that they refer to, and
the page of the Batch API.
"""

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import to_json

from connector.model.campaign import Message
from connector_sinch.conversation.resources.resource import Channel

MAX_METADATA_CHARACTERS = 2048
MAX_PROPERTY_CHARACTERS = 1024
MAX_CORRELATION_ID_CHARACTERS = 128
LEAST_TTL_SECONDS = 3

KINDS = (
    "text_message",
    "media_message",
    "card_message",
    "carousel_message",
    "choice_message",
    "location_message",
    "list_message",
    "template_message",
    "contact_info_message",
)
"""What a message is; it is one of them."""
OVERRIDES = ("explicit_channel_message", "explicit_channel_omni_message", "channel_specific_message")
"""What stands in its place on single channels."""
OTHERWISE = "outside_session"
"""What people without an open session get."""
BESIDE = ("agent", "reply_to")
"""What goes with it."""
ONLY_ALONE = ("queue", "message_content_type", "correlation_id", "conversation_metadata_update_strategy")
"""What the Batch API doesn't take: a message that has it goes in a request of its own."""


def _known_channel(name: str) -> str:
    if name not in list(Channel):
        close = difflib.get_close_matches(name, list(Channel), n=1, cutoff=0.75)
        if close:
            raise ValueError(f'found the channel "{name}"; did you mean "{close[0]}"?')
    return name


def _long_enough(ttl: str) -> str:
    if int(ttl[:-1]) < LEAST_TTL_SECONDS:
        raise ValueError(f'found "{ttl}"; the API takes "{LEAST_TTL_SECONDS}s" and more')
    return ttl


Text = Annotated[str, Field(min_length=1)]
ChannelName = Annotated[str, Field(pattern=r"^[A-Z][A-Z_]*$", examples=["WHATSAPP"]), AfterValidator(_known_channel)]
"""One that isn't known here may be newer than this."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _one_of(part: BaseModel, names: tuple[str, ...]) -> None:
    given = [name for name in names if getattr(part, name) is not None]
    if len(given) != 1:
        found = " and ".join(given) or "none of them"
        raise ValueError(f"give exactly one of {', '.join(names)}; found {found}")


class TextMessage(_Part):
    """A plain text."""

    text: Text


class MediaMessage(_Part):
    """An image, a video, a document, by its address."""

    url: Text
    thumbnail_url: Text | None = None
    filename_override: Text | None = None


class Coordinates(_Part):
    """A point on the earth."""

    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]


class LocationMessage(_Part):
    """A place."""

    coordinates: Coordinates
    title: Text
    label: Text | None = None


class UrlMessage(_Part):
    """A link to follow."""

    title: Text
    url: Text


class CallMessage(_Part):
    """A number to call."""

    title: Text
    phone_number: Text


class CalendarMessage(_Part):
    """A date to put in a calendar."""

    title: Text
    event_start: Text
    event_end: Text
    event_title: Text
    event_description: Text | None = None
    fallback_url: Text


class ShareLocationMessage(_Part):
    """A question where somebody is."""

    title: Text
    fallback_url: Text


_CHOICES = (
    "text_message",
    "url_message",
    "call_message",
    "location_message",
    "calendar_message",
    "share_location_message",
)


class Choice(_Part):
    """One thing that a person may choose."""

    text_message: TextMessage | None = None
    url_message: UrlMessage | None = None
    call_message: CallMessage | None = None
    location_message: LocationMessage | None = None
    calendar_message: CalendarMessage | None = None
    share_location_message: ShareLocationMessage | None = None
    postback_data: Any = None
    display_mode: Text | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> "Choice":
        _one_of(self, _CHOICES)
        return self


Choices = Annotated[list[Choice], Field(min_length=1, max_length=10)]


class WhatsAppHeader(_Part):
    """What stands above a card on WhatsApp."""

    whatsapp_header: Text | None = None


class CardMessage(_Part):
    """A title, a description, a picture, and choices."""

    title: Text | None = None
    description: Text | None = None
    media_message: MediaMessage | None = None
    height: Literal["UNSPECIFIED_HEIGHT", "SHORT", "MEDIUM", "TALL"] | None = None
    choices: Annotated[list[Choice], Field(max_length=10)] | None = None
    message_properties: WhatsAppHeader | None = None


class CarouselMessage(_Part):
    """Several cards side by side."""

    cards: Annotated[list[CardMessage], Field(min_length=1, max_length=10)]
    choices: Annotated[list[Choice], Field(max_length=3)] | None = None


class WhatsAppFooter(_Part):
    """What stands below choices on WhatsApp."""

    whatsapp_footer: Text | None = None


class ChoiceMessage(_Part):
    """A text with choices."""

    text_message: TextMessage | None = None
    choices: Choices
    message_properties: WhatsAppFooter | None = None


class ListChoice(_Part):
    """One thing to choose in a list."""

    title: Text
    description: Text | None = None
    media: MediaMessage | None = None
    postback_data: Any = None


class ListProduct(_Part):
    """One product in a list."""

    id: Text
    marketplace: Text
    quantity: Annotated[int, Field(ge=0)] | None = None
    item_price: Annotated[float, Field(ge=0)] | None = None
    currency: Text | None = None


class ListItem(_Part):
    """An entry of a list."""

    choice: ListChoice | None = None
    product: ListProduct | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> "ListItem":
        _one_of(self, ("choice", "product"))
        return self


class ListSection(_Part):
    """Entries under a title of their own."""

    title: Text | None = None
    items: Annotated[list[ListItem], Field(min_length=1)]


class ListProperties(_Part):
    """Of a list of products, the catalogue that they are in."""

    catalog_id: Text | None = None
    menu: Text | None = None
    whatsapp_header: Text | None = None


class ListMessage(_Part):
    """A list to choose from, or of products."""

    title: Text
    description: Text | None = None
    media: MediaMessage | None = None
    sections: Annotated[list[ListSection], Field(min_length=1)]
    message_properties: ListProperties | None = None

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> "ListMessage":
        items = [item for section in self.sections for item in section.items]
        products = [item for item in items if item.product is not None]
        if products and len(products) != len(items):
            raise ValueError("the entries of a list are all choices or all products; found both")
        if products and not (self.message_properties and self.message_properties.catalog_id):
            raise ValueError("a list of products needs message_properties.catalog_id")
        return self


class Template(_Part):
    """A template that stands with the channel, or with Sinch."""

    template_id: Text
    version: Text | None = None
    language_code: Text | None = None
    parameters: dict[str, str] | None = None


class TemplateMessage(_Part):
    """A template: of single channels, or one for all of them."""

    channel_template: Annotated[dict[ChannelName, Template], Field(min_length=1)] | None = None
    omni_template: Template | None = None

    @model_validator(mode="after")
    def _names_what_is_needed(self) -> "TemplateMessage":
        if self.channel_template is None and self.omni_template is None:
            raise ValueError("give channel_template, omni_template, or both; found neither")
        if self.omni_template is not None and self.omni_template.version is None:
            raise ValueError("omni_template needs the version of the template")
        on_whatsapp = (self.channel_template or {}).get(Channel.WHATSAPP)
        if on_whatsapp is not None:
            if on_whatsapp.language_code is None:
                raise ValueError("channel_template.WHATSAPP needs a language_code, such as en_US")
            if "-" in on_whatsapp.language_code:
                raise ValueError(
                    f"channel_template.WHATSAPP has the language_code {on_whatsapp.language_code}; WhatsApp writes it "
                    f"{on_whatsapp.language_code.replace('-', '_')}"
                )
        return self


class _Open(BaseModel):
    """What may have fields that are not known here."""

    model_config = ConfigDict(extra="allow")


class ContactName(_Open):
    """The name on a contact card."""

    full_name: Text


class ContactNumber(_Open):
    """A number on a contact card."""

    phone_number: Text


class ContactInfoMessage(_Part):
    """A contact card."""

    name: ContactName
    phone_numbers: Annotated[list[ContactNumber], Field(min_length=1)]
    addresses: list[dict[str, Any]] | None = None
    email_addresses: list[dict[str, Any]] | None = None
    organization: dict[str, Any] | None = None
    urls: list[dict[str, Any]] | None = None
    birthday: Annotated[str, Field(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2}|.*\$\{.*)$")] | None = None


class _Content(_Part):
    text_message: TextMessage | None = None
    media_message: MediaMessage | None = None
    card_message: CardMessage | None = None
    carousel_message: CarouselMessage | None = None
    choice_message: ChoiceMessage | None = None
    location_message: LocationMessage | None = None
    list_message: ListMessage | None = None
    template_message: TemplateMessage | None = None
    contact_info_message: ContactInfoMessage | None = None


class OmniMessage(_Content):
    """A message for one channel, of any kind."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> "OmniMessage":
        _one_of(self, KINDS)
        if self.template_message is not None and self.template_message.channel_template is not None:
            raise ValueError("a message for one channel takes an omni_template, and no channel_template")
        return self


class ChannelSpecificMessage(_Part):
    """A message in the channel's own form."""

    message_type: Annotated[Text, Field(examples=["FLOWS"])]
    message: dict[str, Any]


class Agent(_Part):
    """Who writes."""

    display_name: Text | None = None
    type: Literal["UNKNOWN_AGENT_TYPE", "HUMAN", "BOT"] | None = None
    picture_url: Text | None = None


class ReplyTo(_Part):
    """What is answered."""

    message_id: Text


class OutsideSession(_Part):
    """What people get who have not written lately."""

    template_message: TemplateMessage

    @model_validator(mode="after")
    def _is_for_whatsapp(self) -> "OutsideSession":
        if Channel.WHATSAPP not in (self.template_message.channel_template or {}):
            raise ValueError("give template_message.channel_template.WHATSAPP; other channels get the usual message")
        return self


class ConversationMessage(Message, _Content):
    """A text, or one of the API's other kinds of message; what each channel gets in its place, and how it is sent."""

    model_config = ConfigDict(extra="forbid")

    explicit_channel_message: Annotated[
        dict[ChannelName, Text] | None,
        Field(
            title="Explicit channel messages",
            description="For a channel, the message as the channel itself wants it.",
        ),
    ] = None
    explicit_channel_omni_message: Annotated[
        dict[ChannelName, OmniMessage] | None,
        Field(title="Explicit omni messages", description="For a channel, another message of any kind."),
    ] = None
    channel_specific_message: Annotated[
        dict[ChannelName, ChannelSpecificMessage] | None,
        Field(title="Channel specific messages", description="For a channel, a kind of message that it alone has."),
    ] = None
    agent: Agent | None = None
    reply_to: ReplyTo | None = None
    outside_session: Annotated[
        OutsideSession | None,
        Field(
            title="Outside of a session",
            description="The template for people on WhatsApp who have not written in the last 24 hours; absent: they "
            "are skipped, unless another channel follows.",
        ),
    ] = None
    channel_priority_order: Annotated[
        list[ChannelName] | None,
        Field(
            title="Channel priority order",
            description="The channels to try, one after the other; absent: SMS for phone numbers.",
            min_length=1,
        ),
    ] = None
    channel_properties: Annotated[
        dict[str, Annotated[str, Field(max_length=MAX_PROPERTY_CHARACTERS)]] | None,
        Field(title="Channel properties", description="What single channels want to know, such as SMS_SENDER."),
    ] = None
    ttl: Annotated[
        str | None,
        Field(
            title="Time to live",
            description="How long the message may wait to be delivered, in whole seconds.",
            pattern=r"^[0-9]{1,12}s$",
            examples=["3600s"],
        ),
        AfterValidator(lambda ttl: ttl if ttl is None else _long_enough(ttl)),
    ] = None
    queue: Annotated[
        Literal["NORMAL_PRIORITY", "HIGH_PRIORITY"] | None,
        Field(title="Queue", description="Whether it goes before others of the app."),
    ] = None
    processing_strategy: Annotated[
        Literal["DEFAULT", "DISPATCH_ONLY"] | None,
        Field(title="Processing strategy", description="DISPATCH_ONLY: no contacts and conversations are kept."),
    ] = None
    message_content_type: Annotated[
        Literal["CONTENT_UNKNOWN", "CONTENT_MARKETING", "CONTENT_NOTIFICATION"] | None,
        Field(title="Content type", description="For apps with consent management; absent: by the category."),
    ] = None
    conversation_metadata: Annotated[
        dict[str, Any] | None,
        Field(title="Conversation metadata", description="Comes back with what people answer."),
    ] = None
    conversation_metadata_update_strategy: Annotated[
        Literal["REPLACE", "MERGE_PATCH"] | None, Field(title="Update strategy of the conversation's metadata")
    ] = None
    correlation_id: Annotated[
        str | None, Field(title="Correlation ID", min_length=1, max_length=MAX_CORRELATION_ID_CHARACTERS)
    ] = None

    @model_validator(mode="after")
    def _fits_together(self) -> "ConversationMessage":
        given = [name for name in ("text", *KINDS) if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"a message is of one kind; found {' and '.join(given)}")
        if self.outside_session is not None and may_be_template(self.model_dump(exclude_none=True), Channel.WHATSAPP):
            raise ValueError("a template on WhatsApp needs no session; leave outside_session out")
        if self.conversation_metadata is not None:
            characters = len(to_json(self.conversation_metadata).decode())
            if characters > MAX_METADATA_CHARACTERS:
                raise ValueError(
                    f"conversation_metadata has {characters:,} characters; the API takes {MAX_METADATA_CHARACTERS:,}"
                )
        return self


def may_be_template(message: Mapping[str, Any], channel: str) -> bool:
    """Whether what a channel gets of a message is a template, or may be one."""
    raw, omni, specific = ((message.get(name) or {}).get(channel) for name in OVERRIDES)
    if raw is not None:
        # In the channel's own words it may be anything, unless something else is there for people without a session.
        return message.get(OTHERWISE) is None
    if omni is not None:
        return omni.get("template_message") is not None
    if specific is not None:
        return "TEMPLATE" in specific["message_type"]
    template = message.get("template_message") or {}
    # What the template for all channels is on this one stands with Sinch.
    return channel in (template.get("channel_template") or {}) or template.get("omni_template") is not None


def counted_text(message: Message) -> str | None:
    """The text that goes out as SMS, whose parts are counted; as `Provider.text_of` wants it."""
    more: dict[str, Any] = message.model_extra or {}
    if message.text is None and not any(key in more for key in (*KINDS, *OVERRIDES)):
        return None
    order = more.get("channel_priority_order")
    if order and Channel.SMS not in order:
        return ""
    if any(Channel.SMS in (more.get(key) or {}) for key in ("explicit_channel_message", "channel_specific_message")):
        return ""
    on_sms = (more.get("explicit_channel_omni_message") or {}).get(Channel.SMS)
    if on_sms is None and message.text is not None:
        return message.text
    text = ((on_sms or more).get("text_message") or {}).get("text")
    return text if isinstance(text, str) else ""
