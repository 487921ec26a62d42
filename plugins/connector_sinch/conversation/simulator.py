"""A local double of the Conversation API, and the demo on it."""

from collections.abc import Iterator
from typing import Any

from connector.simulator import Simulator
from connector_sinch.conversation.simulator_options import ConversationOptions
from connector_sinch.conversation.simulator_service import ConversationService
from connector_sinch.sms.simulator import SIMULATOR as SMS

KEY_SECRET = "SIMULATED_KEY_SECRET"
WEBHOOK_SECRET = "SIMULATED_WEBHOOK_SECRET"


class ConversationSimulator(Simulator):
    name = "sinch-conversation"
    title = "Sinch Conversation"
    Options = ConversationOptions

    def demo_options(self) -> ConversationOptions:
        """With callbacks at the pace of an account whose limit was raised: at 25 a second a demo takes long."""
        return ConversationOptions(callbacks_per_second=2000)

    def service(self, options: ConversationOptions) -> ConversationService:
        return ConversationService(options)

    def settings(self, base_url: str, options: ConversationOptions) -> dict[str, Any]:
        settings = {
            "provider": self.name,
            "project_id": options.project_id,
            "app_id": options.app_id,
            "region": options.region,
            "key_id": options.key_id,
            "key_secret": f"env:{KEY_SECRET}",
            "base_url": base_url,
            "auth_url": base_url,
        }
        if options.callback_secret is not None:
            settings["webhook_secret"] = f"env:{WEBHOOK_SECRET}"
        return settings

    def secrets(self, options: ConversationOptions) -> dict[str, str]:
        secrets = {KEY_SECRET: options.key_secret}
        if options.callback_secret is not None:
            secrets[WEBHOOK_SECRET] = options.callback_secret
        return secrets

    def campaign(self) -> dict[str, Any]:
        return SMS.campaign()

    def recipients(self, count: int) -> Iterator[dict[str, str]]:
        return SMS.recipients(count)


SIMULATOR = ConversationSimulator()
