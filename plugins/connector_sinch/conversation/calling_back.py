"""The webhook that an app needs, so that reports and replies come: whether it is there, and making it so.

Source: the API's page "Callbacks" (five webhooks an app, one for each address) and its schema `Webhook`.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from connector.extension import CheckResult
from connector.model.errors import ReadRefused
from connector_sinch.conversation.resources import Project
from connector_sinch.conversation.resources.limits import TARGET_CHARACTERS, WEBHOOKS_OF_AN_APP
from connector_sinch.conversation.resources.webhooks import HTTP, TRIGGERS, Webhook

NAME = "webhook"
SIGNATURE = "signature"
BATCHES = "BATCH_STATUS_UPDATE"
UNWANTED = ("MESSAGE_SUBMIT", "SMART_CONVERSATION", "MESSAGE_INBOUND_SMART_CONVERSATION_REDACTION")
"""What an app calls back some 25 times a second is too little to be told that each message left, or of analyses."""
WANTED = tuple(trigger for trigger in TRIGGERS if trigger not in UNWANTED)


@dataclass(frozen=True, slots=True)
class CallingBack:
    """An app that is to call back at an address of ours, signed by a secret where there is one."""

    project: Project
    app_id: str
    address: str
    secret: str | None

    def check(self, *, mend: bool) -> list[CheckResult]:
        """Whether it does; with `mend`, it is brought to. Raises any `ConnectorError`."""
        if len(self.address) > TARGET_CHARACTERS:
            sentence = f"The address has {len(self.address):,} characters; the API takes up to {TARGET_CHARACTERS:,}."
            return [CheckResult(NAME, False, f"{sentence} Give a shorter [server] public_url.")]
        webhooks = list(self.project.webhooks.list(self.app_id))
        own = next((each for each in webhooks if each.target == self.address), None)
        others = [each for each in webhooks if each is not own]
        found = [self._made(others, mend=mend) if own is None else self._right(own, mend=mend)]
        found += [result for result in map(self._beside, others) if result is not None]
        return [*found, *self._signed(mend=mend)]

    def _made(self, others: list[Webhook], *, mend: bool) -> CheckResult:
        if len(others) >= WEBHOOKS_OF_AN_APP:
            listed = "; ".join(f"{each.id} calls {each.target}" for each in others)
            sentence = (
                f"The app calls {WEBHOOKS_OF_AN_APP} addresses already, which is the most, and {self.address} is none "
                f"of them ({listed}). Delete one that nobody needs: connector conversation webhook delete ID"
            )
            return CheckResult(NAME, False, sentence)
        if not mend:
            sentence = (
                f"The app has no webhook that calls {self.address}, so neither replies nor most reports come: "
                "connector setup sinch-conversation makes it."
            )
            return CheckResult(NAME, False, sentence)
        try:
            self.project.webhooks.create(self.app_id, self.address, WANTED, secret=self.secret)
        except ReadRefused as error:
            if error.http_status != 400 or BATCHES not in str(error):
                raise
            # The trigger stands in the release notes, and not in the API's document: an edition may refuse it.
            fewer = [trigger for trigger in WANTED if trigger != BATCHES]
            self.project.webhooks.create(self.app_id, self.address, fewer, secret=self.secret)
            sentence = f"A webhook was made that calls {self.address}, but the API doesn't take the trigger {BATCHES}."
            return CheckResult(NAME, None, sentence)
        return CheckResult(NAME, True, f"A webhook was made that calls {self.address}.")

    def _right(self, own: Webhook, *, mend: bool) -> CheckResult:
        wrong = self._wrong(own)
        if not wrong:
            return CheckResult(NAME, True, f"The app calls {self.address}, about everything that is needed.")
        if not mend:
            sentence = (
                f"The app's webhook for {self.address} is not right: {'; '.join(wrong)}. connector setup "
                "sinch-conversation sets it right."
            )
            return CheckResult(NAME, False, sentence)
        # What somebody has added stays.
        triggers = [*WANTED, *(trigger for trigger in own.triggers if trigger in UNWANTED)]
        self.project.webhooks.update(own.id, triggers=triggers, target_type=HTTP, secret=self.secret)
        return CheckResult(NAME, True, f"The webhook that calls {self.address} was set right ({'; '.join(wrong)}).")

    def _wrong(self, own: Webhook) -> list[str]:
        missing = [trigger for trigger in WANTED if trigger not in own.triggers]
        wrong = [] if own.target_type == HTTP else [f"its kind is {own.target_type}, so nothing is sent"]
        wrong += [f"it lacks {', '.join(missing)}"] if missing else []
        if self.secret is not None and not own.is_signed_by(self.secret):
            wrong.append("it signs with another secret than webhook_secret" if own.has_secret else "it doesn't sign")
        return wrong

    def _beside(self, other: Webhook) -> CheckResult | None:
        """A webhook to the same machine under an address that isn't this integration's, as an old ledger leaves it."""
        same = urlsplit(other.target).netloc == urlsplit(self.address).netloc
        if not same or other.target_type != HTTP or not set(other.triggers) & set(WANTED):
            return None
        sentence = (
            f"The app also calls {other.target}, about the same things. If that is no other integration's address, it "
            f"is left from before: connector conversation webhook delete {other.id}"
        )
        return CheckResult("other webhook", None, sentence)

    def _signed(self, *, mend: bool) -> list[CheckResult]:
        """Reports come to an address that each request names: those are signed by a secret of the app's."""
        if self.secret is None:
            sentence = "No webhook_secret is set: the unguessable address alone protects callbacks."
            return [CheckResult(SIGNATURE, None, sentence)]
        if self.project.apps.get(self.app_id).signs_messages_by(self.secret):
            return [CheckResult(SIGNATURE, True, "Callbacks are signed by webhook_secret, those of messages too.")]
        if not mend:
            sentence = (
                "The app doesn't sign callbacks of messages by webhook_secret, so reports would be taken for forged: "
                "connector setup sinch-conversation sets it right."
            )
            return [CheckResult(SIGNATURE, False, sentence)]
        self.project.apps.update(self.app_id, callback_secret=self.secret)
        return [CheckResult(SIGNATURE, True, "The app signs callbacks of messages by webhook_secret now.")]
