"""What a host orders: a campaign and the people it goes to, checked and ready to be planned."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from connector.audience.lacking import Lacking
from connector.audience.reading import RowSource, read_file, read_recipients
from connector.audience.screening import Screen
from connector.audience.senders import Sender, Senders
from connector.audience.sessions import Sessions
from connector.config.load import check_campaign, check_values, load_campaign
from connector.config.message import message_faults
from connector.config.names import campaign_faults, integration_of
from connector.config.settings import Settings
from connector.dispatch.planning import Plan, digest_of
from connector.extension.provider import Provider
from connector.extension.sink import Sink
from connector.model.campaign import Campaign
from connector.model.errors import CampaignError, Fault
from connector.model.phone import Numbers
from connector.model.recipient import Recipient
from connector.model.text import Template, parameters

Recipients = RowSource | str | os.PathLike[str] | Iterable[Recipient | Mapping[str, Any]]


def read_campaign(campaign: Campaign | Mapping[str, Any] | str | os.PathLike[str]) -> tuple[Campaign, str]:
    """A checked campaign, from an object, a mapping or a file, and what to call it. Raises `CampaignError`."""
    if isinstance(campaign, Campaign):
        check_values(campaign)
        return campaign, "campaign"
    if isinstance(campaign, Mapping):
        return check_campaign(campaign), "campaign"
    return load_campaign(campaign), str(campaign)


def screen_of(campaign: Campaign, settings: Settings, provider: Provider) -> Screen:
    """What decides who of a campaign's people is not messaged."""
    return Screen(
        text=provider.text_of(campaign.message),
        defaults=campaign.message.defaults,
        senders=senders_of(campaign, settings, provider),
        max_parts=campaign.max_parts,
        limits=provider.limits_of(campaign.message),
        numbers=Numbers(settings.screening.default_region),
        beside=campaign.message.parameters_beside,
        address_of=provider.address_of,
        identities_of=provider.identities_of if provider.supports("identities_of") else None,
        unfit=provider.screen_recipients(campaign.message),
    )


def senders_of(campaign: Campaign, settings: Settings, provider: Provider) -> Senders:
    """The senders of a campaign, or the default one, and all that the settings name."""
    named = {name: Sender(sender.value, frozenset(sender.countries)) for name, sender in settings.senders.items()}
    default = settings.defaults.sender
    own = campaign.senders or (() if default is None else (default,))
    return Senders([named.get(name) or Sender(name) for name in own], named, provider.screen_sender)


@dataclass(frozen=True)
class Order:
    """A campaign, and where its recipients come from."""

    campaign: Campaign
    name: str
    """The campaign's file, for messages."""
    source: RowSource
    settings: Settings

    @classmethod
    def read(
        cls,
        campaign: Campaign | Mapping[str, Any] | str | os.PathLike[str],
        recipients: Recipients,
        settings: Settings,
    ) -> Self:
        """Read the campaign, and open the recipients. Raises `CampaignError`, `RecipientsError`."""
        checked, name = read_campaign(campaign)
        if isinstance(recipients, RowSource):
            source = recipients
        elif isinstance(recipients, str | os.PathLike):
            source = read_file(Path(recipients))
        else:
            source = read_recipients(recipients)
        return cls(checked, name, source, settings)

    @property
    def integration(self) -> str:
        """The name of the integration that it goes through."""
        return integration_of(self.campaign, self.settings)

    def check(self) -> None:
        """Whether the settings know what the campaign names, and the recipients have what its text needs.

        Raises `CampaignError` with all that is wrong.
        """
        campaign, source, message = self.campaign, self.source, self.campaign.message
        faults = campaign_faults(campaign, self.settings, self.name)
        own_texts = source.columns is None or "text" in source.columns
        if message.text is None and not message.model_extra and not own_texts:
            faults.append(
                Fault("message.text", "The campaign has no text, and the recipients no text column.", self.name)
            )
        if not own_texts:
            in_text = parameters(message.text)
            names = [*in_text, *(name for name in parameters(message.model_extra) if name not in in_text)]
            for name in source.missing([name for name in names if name not in message.defaults]):
                near = source.nearest(name)
                hint = f" Did you mean ${{{near}}}?" if near else ""
                faults.append(
                    Fault(
                        "message.text" if name in in_text else "message",
                        f"${{{name}}} has no column {name!r} in {source.name} and no default in "
                        f"[message.defaults].{hint}",
                        self.name,
                    )
                )
        if faults:
            raise CampaignError(faults)

    def check_with(self, provider: Provider, *, now: datetime) -> None:
        """Whether the provider can send from these senders, and takes the message. Raises `CampaignError`."""
        wrong_message = message_faults(self.campaign.message, provider, self.name)
        if wrong_message:
            raise CampaignError(wrong_message)
        columns = self.source.columns
        if provider.text_of(self.campaign.message) is None and columns is not None and "text" not in columns:
            sentence = "There is nothing to send: give a text or another kind of message, or recipients with a text."
            raise CampaignError([Fault("message", sentence, self.name)])
        if columns is not None and "to" not in columns and not provider.supports("identities_of"):
            raise CampaignError([Fault("", "there is no column `to`", self.source.name)])
        wrong_senders = senders_of(self.campaign, self.settings, provider).faults()
        if wrong_senders:
            raise CampaignError([Fault("sender", sentence, self.name) for sentence in wrong_senders])
        if self.campaign.message.text is not None:
            wrong = provider.screen_template(Template.read(self.campaign.message.text))
            if wrong:
                raise CampaignError([Fault("message.text", wrong, self.name)])
        if self.campaign.expire_at is not None and self.campaign.expire_at <= now:
            raise CampaignError([Fault("expire_at", "This time has passed; nothing would be sent.", self.name)])

    def digest_ahead(self) -> str | None:
        """The default key, where the recipients can be read more than once; None: they can't."""
        known = self.source.digest_ahead()
        return None if known is None else digest_of(self.campaign, self.integration, known)

    def digest(self) -> str:
        """The default key, from recipients that are read to their end for it."""
        for _ in self.source.rows(()):
            pass
        return digest_of(self.campaign, self.integration, self.source.digest())

    def plan(
        self,
        provider: Provider,
        sinks: Mapping[str, Sink],
        sessions: Sessions | None,
        *,
        key: str | None,
        key_is_given: bool,
    ) -> Plan:
        """What it is planned from; `sinks` are those that get its events, `sessions` what its message needs."""
        return Plan(
            campaign=self.campaign,
            source=self.source,
            screen=screen_of(self.campaign, self.settings, provider),
            integration=self.integration,
            account=provider.account,
            limits=provider.limits_of(self.campaign.message),
            key=key,
            key_is_given=key_is_given,
            lacking=Lacking(sinks, self.campaign.metadata),
            sessions=sessions,
        )
