"""What the simulated Conversation API takes in a request to send, checked as strictly as the API describes it."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import to_json

from connector.http import Answer
from connector.simulator.service import Call, json_answer
from connector_sinch.conversation.simulator_options import CHANNELS, Channel
from connector_sinch.ulid import is_ulid

INVALID_ARGUMENT, NOT_FOUND = "INVALID_ARGUMENT", "NOT_FOUND"

BY_NUMBER = ("SMS", "MMS", "RCS", "WHATSAPP", "VIBERBM")
"""Channels on which people are known by their phone numbers."""

MAX_RECIPIENTS = 1000
MAX_METADATA = 1024
MAX_CONVERSATION_METADATA = 2048
MIN_TTL_SECONDS, MAX_TTL_SECONDS = 3, 315_576_000_000
MAX_CHOICES, MAX_CARDS, MAX_OUTER_CHOICES = 10, 10, 3

_TTL = re.compile(r"(\d{1,12})s")
_PARAMETER = re.compile(r"\$\{([^{}]+)\}")


class Problem(Exception):
    """A refusal: an HTTP status, the word for it and a sentence."""

    def __init__(self, status: int, word: str, message: str) -> None:
        self.status = status
        self.word = word
        self.message = message
        super().__init__(message)

    def answer(self) -> Answer:
        return error_answer(self.status, self.word, self.message)


def error_answer(status: int, word: str, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    """An error as the API writes it (page "Errors")."""
    answer = json_answer(status, {"error": {"code": status, "message": message, "status": word, "details": []}})
    return Answer(status, {**answer.headers, **(headers or {})}, answer.body)


def invalid(message: str) -> Problem:
    return Problem(400, INVALID_ARGUMENT, message)


class Request(BaseModel):
    """A JSON object whose fields are all known; null is the same as absent."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        return {name: each for name, each in given.items() if each is not None} if isinstance(given, dict) else given


R = TypeVar("R", bound=Request)


def read(kind: type[R], call: Call) -> R:
    """The request that a call carries. Raises `Problem`."""
    if call.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, INVALID_ARGUMENT, "The body must be application/json.")
    try:
        return kind.model_validate_json(call.body)
    except ValidationError as error:
        raise _wrong(error) from None


def read_object(kind: type[R], content: dict[str, Any]) -> R:
    """The same of JSON that was read. Raises `Problem`."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise _wrong(error) from None


def _wrong(error: ValidationError) -> Problem:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(each) for each in first["loc"])
    said = str(first["ctx"]["error"]) if first["type"] == "value_error" else first["msg"]
    return invalid(f"{place}: {said}" if place else said)


def changed(before: R, request: Request, mask: Iterable[str]) -> R:
    """The fields after a PATCH: those that the mask names, or without one those that are given. Raises `Problem`."""
    named = {path.partition(".")[0] for path in mask} or request.model_fields_set
    if unknown := named - type(request).model_fields.keys():
        raise invalid(f"update_mask: there is no field {min(unknown)}.")
    return before.model_copy(update={name: getattr(request, name) for name in named})


def is_url(value: str, most: int = 2048) -> bool:
    if len(value) > most or re.search(r"[^!-~]", value):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _url(value: str) -> str:
    if not is_url(value):
        raise ValueError("is not a valid URL")
    return value


def _app_id(value: str) -> str:
    if not is_ulid(value):
        raise ValueError("is not a ULID")
    return value


def _time(value: Any) -> datetime:
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise ValueError("must be a time with its offset, as in 2026-12-01T10:00:00Z")
    return time.astimezone(UTC)


def _ttl(value: str) -> str:
    match = _TTL.fullmatch(value)
    if match is None or not MIN_TTL_SECONDS <= int(match[1]) <= MAX_TTL_SECONDS:
        raise ValueError(f"must be {MIN_TTL_SECONDS} to {MAX_TTL_SECONDS} seconds, as in 3600s")
    return value


def _conversation_metadata(value: dict[str, Any]) -> dict[str, Any]:
    if len(to_json(value).decode()) > MAX_CONVERSATION_METADATA:
        raise ValueError(f"must be at most {MAX_CONVERSATION_METADATA} characters as JSON")
    return value


Url = Annotated[str, AfterValidator(_url)]
AppId = Annotated[str, AfterValidator(_app_id)]
Time = Annotated[datetime, BeforeValidator(_time)]
Ttl = Annotated[str, AfterValidator(_ttl)]
Metadata = Annotated[str, Field(max_length=MAX_METADATA)]
ConversationMetadata = Annotated[dict[str, Any], AfterValidator(_conversation_metadata)]
Properties = dict[str, Annotated[str, Field(max_length=1024)]]


class Identity(Request):
    """A person on a channel."""

    channel: Channel
    identity: Annotated[str, Field(min_length=1)]
    app_id: str | None = None

    def shown(self) -> dict[str, str]:
        """As the API shows it: numbers without a plus."""
        identity = self.identity.removeprefix("+") if self.channel in BY_NUMBER else self.identity
        return {"channel": self.channel, "identity": identity, "app_id": self.app_id or ""}


class IdentifiedBy(Request):
    channel_identities: Annotated[list[Identity], Field(min_length=1)]


class Recipient(Request):
    """Whom a message is for, in one of two ways."""

    contact_id: str | None = None
    identified_by: IdentifiedBy | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Recipient":
        if (self.contact_id is None) == (self.identified_by is None):
            raise ValueError("must have exactly one of contact_id and identified_by")
        return self


class Sending(Request):
    """What requests to send have in common."""

    app_id: AppId
    message: Annotated[dict[str, Any], AfterValidator(lambda message: check_message(message))]
    callback_url: Url | None = None
    channel_priority_order: list[Channel] | None = None
    channel_properties: Properties = Field(default_factory=dict)
    ttl: Ttl | None = None
    processing_strategy: Literal["DEFAULT", "DISPATCH_ONLY"] = "DEFAULT"

    @property
    def ttl_seconds(self) -> int | None:
        return None if self.ttl is None else int(self.ttl[:-1])


class SendRequest(Sending):
    """`messages:send`: one message."""

    recipient: Recipient
    message_metadata: Metadata = ""
    conversation_metadata: ConversationMetadata | None = None
    conversation_metadata_update_strategy: Literal["REPLACE", "MERGE_PATCH"] = "REPLACE"
    correlation_id: Annotated[str, Field(max_length=128)] = ""
    queue: Literal["NORMAL_PRIORITY", "HIGH_PRIORITY"] = "NORMAL_PRIORITY"
    message_content_type: Literal["CONTENT_UNKNOWN", "CONTENT_MARKETING", "CONTENT_NOTIFICATION"] = "CONTENT_UNKNOWN"


class BatchRecipient(Request):
    recipient: Recipient
    parameters: dict[str, str] = Field(default_factory=dict)
    message_metadata: dict[str, Any] = Field(default_factory=dict)
    conversation_metadata: dict[str, Any] = Field(default_factory=dict)


class BatchRequest(Sending):
    """The Batch API's `POST /messages`: one message to many people."""

    recipient_and_params: Annotated[list[BatchRecipient], Field(min_length=1, max_length=MAX_RECIPIENTS)]
    batch_metadata: dict[str, Any] = Field(default_factory=dict)
    message_metadata: dict[str, Any] = Field(default_factory=dict)
    conversation_metadata: dict[str, Any] = Field(default_factory=dict)
    send_after: Time | None = None

    def check_metadata(self, recipient: BatchRecipient, batch_id: str) -> None:
        """That what is merged for a recipient is not too long. Raises `Problem`."""
        if len(self.metadata_of(recipient, batch_id)) > MAX_METADATA:
            raise invalid(f"message_metadata must be at most {MAX_METADATA} characters as JSON, with _batch_id in it.")
        if len(to_json(self.conversation_metadata_of(recipient, batch_id)).decode()) > MAX_CONVERSATION_METADATA:
            raise invalid(
                f"conversation_metadata must be at most {MAX_CONVERSATION_METADATA} characters as JSON, with _batch_id "
                "in it."
            )

    def metadata_of(self, recipient: BatchRecipient, batch_id: str) -> str:
        """The message metadata of one recipient, as receipts carry it."""
        return to_json({**self.message_metadata, **recipient.message_metadata, "_batch_id": batch_id}).decode()

    def conversation_metadata_of(self, recipient: BatchRecipient, batch_id: str) -> dict[str, Any]:
        return {**self.conversation_metadata, **recipient.conversation_metadata, "_batch_id": batch_id}


def fill(value: Any, parameters: Mapping[str, str], missing: set[str]) -> Any:
    """The same with values for `${name}` in every string; names without a value are added to `missing`."""
    if isinstance(value, str):

        def replaced(match: re.Match[str]) -> str:
            if match[1] not in parameters:
                missing.add(match[1])
                return match[0]
            return parameters[match[1]]

        return _PARAMETER.sub(replaced, value) if "${" in value else value
    if isinstance(value, dict):
        return {name: fill(each, parameters, missing) for name, each in value.items()}
    if isinstance(value, list):
        return [fill(each, parameters, missing) for each in value]
    return value


# Content: kind to the fields that it must have, as paths.
_CONTENT: dict[str, tuple[str, ...]] = {
    "text_message": ("text",),
    "media_message": ("url",),
    "card_message": (),
    "carousel_message": ("cards",),
    "choice_message": ("choices",),
    "location_message": ("coordinates.latitude", "coordinates.longitude", "title"),
    "list_message": ("title", "sections"),
    "template_message": (),
    "contact_info_message": ("name.full_name", "phone_numbers"),
}
_BESIDE = ("explicit_channel_message", "explicit_channel_omni_message", "channel_specific_message", "agent", "reply_to")
_SPECIFIC = (
    "FLOWS",
    "ORDER_DETAILS",
    "ORDER_STATUS",
    "COMMERCE",
    "CAROUSEL_COMMERCE",
    "NOTIFICATION_MESSAGE_TEMPLATE",
)


def check_message(message: dict[str, Any]) -> dict[str, Any]:
    """Check a message's form; what a channel makes of it shows later. Raises `ValueError`."""
    given = {name: value for name, value in message.items() if value is not None}
    if unknown := given.keys() - _CONTENT.keys() - {*_BESIDE}:
        raise ValueError(f"unknown field {min(unknown)}")
    kinds = [name for name in given if name in _CONTENT]
    if len(kinds) > 1:
        raise ValueError(f"has more than one content: {', '.join(kinds)}")
    if not kinds and not given.keys() & {*_BESIDE[:3]}:
        raise ValueError(f"needs one of {', '.join(_CONTENT)}")
    for kind in kinds:
        _check_content(kind, given[kind])
    for name in _BESIDE[:3]:
        by_channel = given.get(name, {})
        if not isinstance(by_channel, dict) or by_channel.keys() - {*CHANNELS}:
            raise ValueError(f"{name} must name channels")
    for channel, raw in given.get("explicit_channel_message", {}).items():
        if not isinstance(raw, str):
            raise ValueError(f"explicit_channel_message.{channel} must be a string")
    for channel, content in given.get("explicit_channel_omni_message", {}).items():
        if not isinstance(content, dict) or len(content) != 1 or next(iter(content)) not in _CONTENT:
            raise ValueError(f"explicit_channel_omni_message.{channel} needs one of {', '.join(_CONTENT)}")
        for kind, inner in content.items():
            _check_content(kind, inner)
            if isinstance(inner, dict) and "channel_template" in inner:
                raise ValueError(f"explicit_channel_omni_message.{channel} can't refer to a channel's template")
    for channel, content in given.get("channel_specific_message", {}).items():
        if not isinstance(content, dict) or content.get("message_type") not in _SPECIFIC:
            raise ValueError(f"channel_specific_message.{channel}.message_type must be one of {', '.join(_SPECIFIC)}")
    return given


def _check_content(kind: str, content: Any) -> None:
    if not isinstance(content, dict):
        raise ValueError(f"{kind} must be an object")
    for path in _CONTENT[kind]:
        inner: Any = content
        for name in path.split("."):
            inner = inner.get(name) if isinstance(inner, dict) else None
        if inner is None or inner == "" or inner == []:
            raise ValueError(f"{kind}.{path} is missing")
    _check_length(
        f"{kind}.choices",
        content.get("choices"),
        MAX_OUTER_CHOICES if kind[:3] == "car" and kind[3] == "o" else MAX_CHOICES,
    )
    if kind == "carousel_message":
        _check_length("carousel_message.cards", content["cards"], MAX_CARDS)
        for card in content["cards"]:
            _check_content("card_message", card)
    if kind == "contact_info_message" and not all(
        isinstance(each, dict) and each.get("phone_number") for each in content["phone_numbers"]
    ):
        raise ValueError("contact_info_message.phone_numbers.phone_number is missing")
    if kind == "list_message":
        _check_list(content)
    if kind == "template_message":
        _check_template(content)


def _check_length(path: str, value: Any, most: int) -> None:
    if value is not None and (not isinstance(value, list) or len(value) > most):
        raise ValueError(f"{path} must be a list of at most {most}")


def _check_list(content: dict[str, Any]) -> None:
    sections = content["sections"]
    if not isinstance(sections, list) or not all(
        isinstance(section, dict) and isinstance(section.get("items"), list) and section["items"]
        for section in sections
    ):
        raise ValueError("list_message.sections must be a list of sections with items")
    kinds = {
        name for section in sections for item in section["items"] for name in ("choice", "product") if name in item
    }
    if len(kinds) != 1:
        raise ValueError("list_message.sections.items must be all choices or all products")
    if kinds == {"product"} and not content.get("message_properties", {}).get("catalog_id"):
        raise ValueError("list_message.message_properties.catalog_id is missing")


def _check_template(content: dict[str, Any]) -> None:
    by_channel, omni = content.get("channel_template"), content.get("omni_template")
    if not by_channel and not omni:
        raise ValueError("template_message needs channel_template or omni_template")
    if by_channel is not None:
        if not isinstance(by_channel, dict) or by_channel.keys() - {*CHANNELS}:
            raise ValueError("template_message.channel_template must name channels")
        for channel, reference in by_channel.items():
            if not isinstance(reference, dict) or not reference.get("template_id"):
                raise ValueError(f"template_message.channel_template.{channel}.template_id is missing")
            if channel == "WHATSAPP" and not reference.get("language_code"):
                raise ValueError("template_message.channel_template.WHATSAPP.language_code is missing")
    if omni is not None and not (isinstance(omni, dict) and omni.get("template_id") and omni.get("version")):
        raise ValueError("template_message.omni_template needs template_id and version")
