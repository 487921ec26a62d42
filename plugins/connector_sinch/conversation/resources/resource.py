"""What the API answers, as models that bear what they don't know: fields, values of enumerations, nulls."""

import hmac
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from connector.model.errors import ReadFailed
from connector_sinch.values import moment


class Channel(StrEnum):
    """A channel of the API; another one that it names stays text.

    Source: the schema `ConversationChannel` of the API's OpenAPI document.
    """

    SMS = "SMS"
    RCS = "RCS"
    WHATSAPP = "WHATSAPP"
    MMS = "MMS"
    KAKAOTALK = "KAKAOTALK"
    KAKAOTALKCHAT = "KAKAOTALKCHAT"
    VIBERBM = "VIBERBM"
    LINE = "LINE"
    INSTAGRAM = "INSTAGRAM"
    MESSENGER = "MESSENGER"
    WECHAT = "WECHAT"
    TELEGRAM = "TELEGRAM"
    APPLEBC = "APPLEBC"


APP_SCOPED = (Channel.MESSENGER, Channel.INSTAGRAM, Channel.LINE, Channel.WECHAT)
"""Where an identity belongs to one app, and is named together with it."""

ChannelName = Annotated[Channel | str, Field(union_mode="left_to_right")]
"""A channel, or the name of one that is not known here."""
Time = Annotated[datetime | None, BeforeValidator(moment)]
"""In UTC, to the microsecond; None where there is none, or none that can be read."""


class Resource(BaseModel):
    """Something that the API answered."""

    model_config = ConfigDict(extra="allow", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        """Null is how some editions say that a field is absent."""
        if not isinstance(data, Mapping):
            return data
        return {key: value for key, value in data.items() if value is not None}

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON, without what the API did not say."""
        return self.model_dump(mode="json", exclude_unset=True)


class ChannelIdentity(Resource):
    """One person on one channel: a phone number, or an id of the channel."""

    channel: ChannelName = ""
    identity: str = ""
    app_id: str = ""
    """The app that the identity belongs to, on channels where it does (`APP_SCOPED`)."""


def matches(shown: str, secret: str) -> bool:
    """Whether a secret is the one that the API shows; where it shows stars, that can't be told, and it may be."""
    return hmac.compare_digest(shown.encode(), secret.encode()) or set(shown) == {"*"}


Answered = TypeVar("Answered", bound=Resource)


def read(model: type[Answered], body: Any) -> Answered:
    """An answer as a resource. Raises `ReadFailed`, which repeats no value of it."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        where = ".".join(map(str, error.errors(include_input=False, include_url=False)[0]["loc"])) or "the whole"
        raise ReadFailed(f"The API's answer can't be read as a {model.__name__} ({where}).") from None


def read_each(model: type[Answered], bodies: Iterable[Any]) -> Iterator[Answered]:
    """Answers as resources, one by one."""
    return (read(model, body) for body in bodies)
