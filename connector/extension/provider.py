"""`Provider`: the one class that a provider's plugin writes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from connector.extension.offer import Offer
from connector.model.batch import Batch
from connector.model.callback import Request, Verdict
from connector.model.campaign import Message as CampaignMessage
from connector.model.codes import Catalogue, ErrorCode
from connector.model.errors import PluginError
from connector.model.event import StatusCodeSource
from connector.model.limits import Limits
from connector.model.outcome import DryRun, Found, Listed, Outcome, Refused
from connector.model.report import Receipt, Report
from connector.model.session import SessionRule
from connector.model.text import Template

if TYPE_CHECKING:
    from connector.http import Http


class IntegrationSettings(BaseModel):
    """Settings that every integration has; a provider adds its own."""

    # What is found may be a secret that stands in the wrong place.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    messages_per_second: Annotated[
        float | None,
        Field(
            gt=0,
            title="Messages per second",
            description="Pace of the account, where no [accounts] table sets it.",
        ),
    ] = None
    request_timeout_seconds: Annotated[
        float,
        Field(
            gt=0,
            le=600,
            title="Request timeout in seconds",
            description="How long an answer of the provider is waited for.",
        ),
    ] = 30.0


@dataclass(frozen=True, slots=True)
class Integration:
    """One configured use of a provider, under a name of the user's own."""

    name: str
    settings: Any
    """An instance of the provider's `Settings`."""
    provider: str = ""
    """The name of the provider; where it is empty, the class of the settings tells it."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing that was tried against the real service."""

    name: str
    ok: bool | None
    """None: it could not be proved either way."""
    message: str
    reached: bool = True
    """Whether the service answered at all."""
    pending: bool = False
    """It is not so yet, and will be by itself within a minute or so: ask again."""


OPTIONAL = ("find", "poll", "inbound", "cancel", "verify")
"""What a provider writes, or declines with a reason: without it something can't be kept or told."""
EXTRAS = ("rehearse", "dry_run", "feedback", "accepted", "identities_of", "offer", "call_back", "failing")
"""What a provider may write, and need not decline."""


class Provider(ABC):
    """A messaging service.

    Write `check`, `send` and `parse`, and either write each of `OPTIONAL` or decline it with a reason. An
    instance serves one integration and is shared between threads.
    """

    name: ClassVar[str]
    """What the configuration names: `provider = NAME`."""
    title: ClassVar[str]
    """For people."""
    Settings: ClassVar[type[IntegrationSettings]]
    Message: ClassVar[type[CampaignMessage]] = CampaignMessage
    """What `[message]` of a campaign takes: a text, unless a subclass has more."""
    limits: ClassVar[Limits]
    codes: ClassVar[Catalogue]
    declines: ClassVar[dict[str, str]] = {}
    """Method to reason, for each of the `OPTIONAL` ones that isn't written."""
    cancelled: ClassVar[tuple[StatusCodeSource, int] | None] = None
    """The code of a message that was cancelled: for batches that were called back, and whose report stays empty."""
    guidance: ClassVar[str] = ""
    """For people who set it up: what they need, where they find it, what to do who doesn't have it."""
    offers: ClassVar[tuple[str, ...]] = ()
    """Settings of which the service itself can list what they may be (`offer`): they are asked for last."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        wrong = []
        for method in OPTIONAL:
            written = getattr(cls, method) is not getattr(Provider, method)
            if written and method in cls.declines:
                wrong.append(f"it writes {method} and declines it")
            if not written and method not in cls.declines:
                wrong.append(f"it neither writes {method} nor declines it with a reason")
        wrong += [f"it declines {method}, which can't be declined" for method in cls.declines if method not in OPTIONAL]
        if wrong:
            raise PluginError(f"The provider class {cls.__name__} breaks its contract: {'; '.join(wrong)}.")

    @abstractmethod
    def __init__(self, integration: Integration, http: "Http") -> None:
        """Take checked settings; open nothing yet. HTTP clients come from `http`, which closes them."""

    @property
    @abstractmethod
    def account(self) -> str:
        """What the provider limits, as `name:id`; several integrations may share it."""

    @abstractmethod
    def check(self) -> list[CheckResult]:
        """Ask the real service, by safe reads only, whether these settings work."""

    @abstractmethod
    def send(self, batch: Batch) -> Outcome:
        """Send one batch, once.

        Call `batch.attempt.deadline.check` immediately before the request is written
        (`Client.post_once(..., before_write=...)`). Raise `NotReached` or `Throttled` when the batch was
        surely not accepted; return `InDoubt`, or raise anything else, when it may have been.
        """

    @abstractmethod
    def parse(self, report: Report) -> list[Receipt]:
        """Read a report into receipts; what isn't understood becomes a receipt of kind `unknown`.

        Never raises for what the provider sent.
        """

    def find(self, batch: Batch) -> Found:
        """Look a batch up by its key. Raises `ReadFailed` or answers `cannot_tell` when it can't say."""
        raise PluginError(self.declines["find"])

    def poll(self, batch: Batch) -> Iterable[Report]:
        """Ask for the reports of an accepted batch; the last one `closes`. Raises `ReadFailed`."""
        raise PluginError(self.declines["poll"])

    def inbound(self, since: datetime) -> Iterable[Report]:
        """Ask for the messages that people sent to this account since a time. Raises `ReadFailed`.

        What comes twice is known by the receipts' `provider_id`.
        """
        raise PluginError(self.declines["inbound"])

    def cancel(self, provider_batch_id: str) -> bool:
        """Cancel an accepted batch; True when the provider confirms. Raises `ReadFailed`."""
        raise PluginError(self.declines["cancel"])

    def verify(self, request: Request, *, now_seconds: float) -> Verdict:
        """Say whether a callback is the provider's; `now_seconds` is UNIX time."""
        raise PluginError(self.declines["verify"])

    def rehearse(self, batch_key: str, now: datetime) -> Request:
        """A callback as the provider would make it, authenticated as `verify` wants it.

        A delivery report on one fictional recipient of a batch with this key, which does not exist; the path
        is left empty. Sent through the public address it proves that callbacks arrive.
        """
        raise PluginError(f"{self.name} does not write rehearse")

    def dry_run(self, batch: Batch) -> DryRun | Refused:
        """What the provider would make of a batch; nothing is sent. Raises `ReadFailed`."""
        raise PluginError(f"{self.name} does not write dry_run")

    def feedback(self, provider_batch_id: str, recipients: Sequence[str]) -> None:
        """Tell the provider that these recipients of an accepted batch did what the message was for.

        Raises `ReadFailed`.
        """
        raise PluginError(f"{self.name} does not write feedback")

    def accepted(self, since: datetime) -> Iterable[Listed]:
        """Every batch that the provider accepted on this account since a time. Raises `ReadFailed`."""
        raise PluginError(f"{self.name} does not write accepted")

    def failing(self) -> Mapping[str, str]:
        """The account's channels that let nothing through just now, each with the service's own words on it.

        Asked while something is sent; a dispatch that would go over one of them is paused. Raises `ReadFailed`.
        """
        raise PluginError(f"{self.name} does not write failing")

    @staticmethod
    def offer(key: str, settings: Mapping[str, Any], http: "Http") -> Offer:
        """What the service lists for one of `offers`; `settings` are those that are known already, unchecked.

        Raises any `ConnectorError` when it can't be asked: then a person types the value.
        """
        raise PluginError("this provider does not write offer")

    @staticmethod
    def make(key: str, answers: Mapping[str, str], settings: Mapping[str, Any], http: "Http") -> str:
        """Make a new one of what `offer` lists, of the answers to its `new`; the value of the setting.

        Raises any `ConnectorError` when none was made.
        """
        raise PluginError("this provider does not write make")

    def pace(self) -> float | None:
        """How many messages a second the service lets this account send, as it says itself; None: it says nothing.

        Asked while the account is set up, and written down as its `messages_per_second` where nobody gave one. Raises
        any `ConnectorError`: then nothing is.
        """
        return None

    def call_back(self, address: str, *, mend: bool) -> list[CheckResult]:
        """Whether the service is set to call back at an address of ours; with `mend`, it is set so first.

        For services that are told once, and not with every request. Only `mend` changes anything there. Raises any
        `ConnectorError`.
        """
        raise PluginError(f"{self.name} does not write call_back")

    def reply_guidance(self, address: str) -> str | None:
        """How a person makes the provider bring replies to `address`; None: it does so by itself, or has none."""
        return None

    def limits_of(self, message: CampaignMessage) -> Limits:
        """The limits for a campaign's message, where they depend on it."""
        return self.limits

    def text_of(self, message: CampaignMessage) -> str | None:
        """The text of a campaign's message whose parts are counted before it is sent.

        Empty: it is another kind of message. None: it has nothing to send, so recipients must bring their own texts.
        """
        return message.text

    def session_of(self, message: CampaignMessage) -> SessionRule | None:
        """What a message needs that its channel lets through only to people who wrote lately; None: it needs nothing.

        Who that is, receipts of the provider tell by `open_until`.
        """
        return None

    def channels_of(self, batch: Batch) -> Collection[str] | None:
        """The channels that a batch may go over, as `failing` names them; None: any of the account's."""
        return None

    def lists(self, batch: Batch) -> bool:
        """Whether `find` can show a batch like this one once it was accepted; no request is made for it.

        Of one that it can't show nothing is concluded about look-ups: neither that they work, nor that a list lags.
        """
        return True

    def address_of(self, written: str) -> str | None:
        """An address that is no phone number, as it is kept and sent; None: it is none."""
        return None

    def identities_of(self, written: str) -> Sequence[str]:
        """The addresses of one person from the column `identities`, the first to be tried first; empty: none is right.

        They have no line break in them.
        """
        raise PluginError(f"{self.name} does not write identities_of")

    def screen_recipients(
        self, message: CampaignMessage
    ) -> Callable[[str, Sequence[str], Mapping[str, str]], str | None] | None:
        """What finds those who can't get a message: from address, identities and values to the reason, or None.

        A reason is a `SkipReason`, or a word of the provider's own. None: everybody can get it.
        """
        return None

    def screen_sender(self, sender: str) -> str | None:
        """What is wrong with a sender for this provider, as a sentence; None: nothing."""
        return None

    def screen_template(self, template: Template) -> str | None:
        """What is wrong with a text for this provider, as a sentence; None: nothing."""
        return None

    def explain(self, source: StatusCodeSource | str, code: str) -> ErrorCode | None:
        """What a code means."""
        return self.codes.get((StatusCodeSource(source), code))

    @classmethod
    def supports(cls, method: str) -> bool:
        """Whether one of `OPTIONAL` or `EXTRAS` is written."""
        return method not in cls.declines and getattr(cls, method) is not getattr(Provider, method)


def problems(cls: Any) -> Sequence[str]:
    """What is wrong with a class that a plugin offers as a provider."""
    if not (isinstance(cls, type) and issubclass(cls, Provider)):
        return ["it is not a subclass of Provider"]
    missing = [name for name in ("name", "title", "Settings", "limits", "codes") if not hasattr(cls, name)]
    if missing:
        return [f"it lacks {', '.join(missing)}"]
    if not (isinstance(cls.name, str) and cls.name and isinstance(cls.title, str)):
        return ["its name and title are not text"]
    if not (isinstance(cls.Settings, type) and issubclass(cls.Settings, IntegrationSettings)):
        return ["its Settings are no subclass of IntegrationSettings"]
    if not isinstance(cls.limits, Limits):
        return ["its limits are no Limits"]
    if not isinstance(cls.codes, dict):
        return ["its codes are no catalogue"]
    abstract = sorted(getattr(cls, "__abstractmethods__", ()))
    return [f"it doesn't write {', '.join(abstract)}"] if abstract else []
