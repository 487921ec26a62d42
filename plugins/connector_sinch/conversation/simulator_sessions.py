"""Who wrote to an app when, and what it sent to them last, in the simulated Conversation API."""

from datetime import datetime, timedelta

from connector_sinch.conversation.simulator_messages import Message
from connector_sinch.conversation.simulator_request import Identity


class Sessions:
    """For so many seconds after a person wrote some channels let an app send them more than templates."""

    def __init__(self, seconds: float) -> None:
        self._length = timedelta(seconds=seconds)
        self._written: dict[tuple[str, str, str], datetime] = {}
        self._sent: dict[str, tuple[Message, Identity]] = {}

    def written(self, app_id: str, identity: Identity, at: datetime) -> None:
        self._written[app_id, identity.channel, identity.identity.removeprefix("+")] = at

    def is_open(self, app_id: str, identity: Identity, at: datetime) -> bool:
        last = self._written.get((app_id, identity.channel, identity.identity.removeprefix("+")))
        return last is not None and at < last + self._length

    def sent(self, message: Message, identity: Identity) -> None:
        """Note that a message went to somebody on a channel."""
        self._sent[identity.identity.removeprefix("+")] = (message, identity)

    def last_sent(self, identity: str) -> tuple[Message, Identity] | None:
        """The last message to somebody, and where it went."""
        return self._sent.get(identity.removeprefix("+"))
