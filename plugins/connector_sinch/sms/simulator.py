"""A local double of the SMS API, and the demo on it."""

from collections.abc import Iterator
from typing import Any

from connector.simulator import Simulator
from connector.simulator.numbers import fictional_numbers
from connector_sinch.sms.simulator_options import SmsOptions
from connector_sinch.sms.simulator_service import SmsService

API_TOKEN = "SIMULATED_API_TOKEN"
KEY_SECRET = "SIMULATED_KEY_SECRET"
CALLBACK_SECRET = "SIMULATED_CALLBACK_SECRET"
CALLBACK_PASSWORD = "SIMULATED_CALLBACK_PASSWORD"

FIRST_NAMES = ("Ada", "Björn", "Chloé", "Dilan", "Emre", "Zoë", "", "Grace", "Łukasz", "Nora")
"""Some need the long encoding, and one is missing: the text's default serves."""


class SmsSimulator(Simulator):
    name = "sinch-sms"
    title = "Sinch SMS"
    Options = SmsOptions
    shown_first = True

    def service(self, options: SmsOptions) -> SmsService:
        return SmsService(options)

    def settings(self, base_url: str, options: SmsOptions) -> dict[str, Any]:
        settings = {"provider": self.name, **self._credentials(base_url, options), "region": "eu", "base_url": base_url}
        if options.callback_secret is not None:
            settings["callback_secret"] = f"env:{CALLBACK_SECRET}"
        if options.callback_username is not None:
            settings["callback_username"] = options.callback_username
            settings["callback_password"] = f"env:{CALLBACK_PASSWORD}"
        return settings

    @staticmethod
    def _credentials(base_url: str, options: SmsOptions) -> dict[str, str]:
        if options.authentication == "project":
            return {
                "project_id": options.project_id,
                "key_id": options.key_id,
                "key_secret": f"env:{KEY_SECRET}",
                "auth_url": base_url,
            }
        return {"service_plan_id": options.service_plan_id, "api_token": f"env:{API_TOKEN}"}

    def secrets(self, options: SmsOptions) -> dict[str, str]:
        project = options.authentication == "project"
        secrets = {KEY_SECRET: options.key_secret} if project else {API_TOKEN: options.api_token}
        if options.callback_secret is not None:
            secrets[CALLBACK_SECRET] = options.callback_secret
        if options.callback_password is not None:
            secrets[CALLBACK_PASSWORD] = options.callback_password
        return secrets

    def campaign(self) -> dict[str, Any]:
        return {
            "id": "demo-1",
            "name": "spring-sale",
            "sender": "Demo Shop",
            "max_parts": 3,
            "metadata": {"season": "spring"},
            "message": {
                "text": "Hi ${first_name}, the spring sale is on: 20% off with your code ${code} until Sunday.",
                "defaults": {"first_name": "friend"},
            },
        }

    def recipients(self, count: int) -> Iterator[dict[str, str]]:
        """Rows with `to`, `customer_id`, `first_name`, `code`; after every 50th one that is to be skipped."""
        numbers = fictional_numbers()
        for place in range(count):
            number = next(numbers)
            row = {
                "to": f"+{number}",
                "customer_id": f"customer-{place}",
                "first_name": FIRST_NAMES[place % len(FIRST_NAMES)],
                "code": f"SPRING{place:06}",
            }
            yield row
            if place % 50 == 49:
                yield self._skipped(place // 50, row, numbers)

    @staticmethod
    def _skipped(place: int, row: dict[str, str], numbers: Iterator[str]) -> dict[str, str]:
        other = {**row, "customer_id": f"skipped-{place}"}
        to = row["to"]
        match place % 3:
            case 0:
                other["to"] = f"+1 ({to[2:5]}) {to[5:8]}-{to[8:]}"
            case 1:
                other["to"] = ("12345", "not known", "")[place // 3 % 3]
            case 2:
                other |= {"to": f"+{next(numbers)}", "code": ""}
        return other


SIMULATOR = SmsSimulator()
