"""`Sink`: the one class that a platform's side writes."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connector.extension.provider import CheckResult
from connector.extension.secret import Secret
from connector.model.errors import PluginError
from connector.model.event import Event, Status

Start = Literal["now", "beginning"]

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$"
"""How a sink may be called."""


class SinkSettings(BaseModel):
    """Settings that every sink has; a platform adds its own."""

    # What is found may be a secret that stands in the wrong place.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    start: Annotated[
        Start,
        Field(
            title="Start",
            description="Where it begins when it is new: with what happens from now on, or with the first event.",
        ),
    ] = "now"
    only_statuses: Annotated[
        tuple[Status, ...] | None,
        Field(min_length=1, title="Only statuses", description="Events with these statuses alone; absent: with any."),
    ] = None
    only_integrations: Annotated[
        tuple[str, ...] | None,
        Field(
            min_length=1, title="Only integrations", description="Events of these integrations alone; absent: of all."
        ),
    ] = None
    only_campaigns: Annotated[
        tuple[str, ...] | None,
        Field(
            min_length=1,
            title="Only campaigns",
            description="Events of campaigns with these names alone; absent: of all.",
        ),
    ] = None
    recipient: Annotated[
        Literal["clear", "hashed", "left_out"],
        Field(
            title="Recipient",
            description="The phone number: clear, as it is; hashed, as a keyed hash; or left_out. The provider's raw "
            "words, which have numbers in them, go along only with a clear one.",
        ),
    ] = "clear"
    recipient_key: Annotated[
        Secret | None,
        Field(title="Recipient key", description="The key of the hash, where the phone number is hashed."),
    ] = None
    request_timeout_seconds: Annotated[
        float,
        Field(
            gt=0,
            le=600,
            title="Request timeout in seconds",
            description="How long an answer of the platform is waited for.",
        ),
    ] = 30.0

    @model_validator(mode="after")
    def _a_hash_has_its_key(self) -> "SinkSettings":
        if (self.recipient == "hashed") != (self.recipient_key is not None):
            raise ValueError('recipient_key goes with recipient = "hashed": give both, or neither')
        return self


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a platform won't ever take as it is."""

    event: Event
    reason: str
    """The platform's words."""
    left_out: bool = False
    """It is none for this platform, and nobody can mend that: it is counted, and not kept."""

    def __post_init__(self) -> None:
        # An exception in place of its words would show only when it is stored, after the sink is done.
        if not isinstance(self.reason, str):
            raise PluginError(f"The reason of a dead letter is text, not {type(self.reason).__name__}.")


class Sink(ABC):
    """A platform that receives campaign events.

    It gets every event of the log at least once, each under its stable `id`, from one process at a time, and the
    events of one message in order. How far it has come is kept in the ledger under the sink's name.

    A class that a plugin offers has `name`, `title` and `Settings`, and is made with checked settings and an `Http`
    that owns its connections; an object that a host hands over needs none of these.
    """

    name: ClassVar[str]
    """What the configuration names: `sink = NAME`."""
    title: ClassVar[str]
    """For people."""
    Settings: ClassVar[type[SinkSettings]]
    guidance: ClassVar[str] = ""
    """For people who set it up: what they need, and where they find it."""
    asked: ClassVar[Sequence[str]] = ("start",)
    """Settings that `connector setup` asks for although they have a default; others are in a list at its end."""

    batch_events: ClassVar[int] = 1000
    """The most events that one call takes."""
    parallel: ClassVar[int] = 1
    """How many calls may be under way at the same time, each in a thread of its own."""
    calls_per_second: float | None = None
    """The most calls that are begun in a second; None: any number."""
    waits_seconds: ClassVar[Sequence[float] | None] = None
    """How long to wait after the first failure, the second ...; None: from a second doubled up to five minutes."""
    start: Start = "now"
    """Where a sink that the ledger doesn't know yet begins: after what is in the log `now`, or at the `beginning`."""

    @abstractmethod
    def deliver(self, events: Sequence[Event]) -> Sequence[DeadLetter] | None:
        """Take these events for good; returns those that the platform will never take, with its words.

        Raises `NotTaken` when all of them are to come again later, `SinkStopped` when a person has to do something
        first. Whatever else it raises, all of them come again after a pause, and later ones wait.
        """

    def lacks(self, recipient: str, customer_id: str | None, metadata: Mapping[str, Any]) -> str | None:
        """What a recipient lacks for events to be taken, as in `no customer_id`; None: nothing.

        Such recipients are refused before anything is sent.
        """
        return None

    def check(self) -> list[CheckResult]:
        """What can be proved of these settings without writing anything to the platform."""
        return []

    def close(self) -> None:  # noqa: B027 - most have nothing open
        """Give back what it holds open; it may be used again."""


def problems(cls: Any) -> Sequence[str]:
    """What is wrong with a class that a plugin offers as a sink."""
    if not (isinstance(cls, type) and issubclass(cls, Sink)):
        return ["it is not a subclass of Sink"]
    missing = [name for name in ("name", "title", "Settings") if not hasattr(cls, name)]
    if missing:
        return [f"it lacks {', '.join(missing)}"]
    if not (isinstance(cls.name, str) and cls.name and isinstance(cls.title, str)):
        return ["its name and title are not text"]
    if not (isinstance(cls.Settings, type) and issubclass(cls.Settings, SinkSettings)):
        return ["its Settings are no subclass of SinkSettings"]
    if wrong := misfits(cls):
        return wrong
    abstract = sorted(getattr(cls, "__abstractmethods__", ()))
    return [f"it doesn't write {', '.join(abstract)}"] if abstract else []


def misfits(sink: Sink | type[Sink]) -> list[str]:
    """What is wrong with how a sink, or a class of them, wants to be called."""
    wrong = [f"its {name} must be at least 1" for name in ("batch_events", "parallel") if getattr(sink, name) < 1]
    if sink.calls_per_second is not None and sink.calls_per_second <= 0:
        wrong.append("its calls_per_second must be more than 0, or None")
    if sink.waits_seconds is not None and not (sink.waits_seconds and min(sink.waits_seconds) > 0):
        wrong.append("its waits_seconds must be numbers of more than 0, or None")
    if inspect.iscoroutinefunction(sink.deliver):
        wrong.append("its deliver is called from a thread: write it with def")
    return wrong
