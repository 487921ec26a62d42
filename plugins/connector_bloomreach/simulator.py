"""A local double of the Tracking API of Bloomreach Engagement."""

from typing import Any

from connector.simulator import SinkSimulator
from connector_bloomreach.simulator_options import BloomreachOptions
from connector_bloomreach.simulator_service import BloomreachService

API_SECRET = "SIMULATED_BLOOMREACH_SECRET"
API_TOKEN = "SIMULATED_BLOOMREACH_TOKEN"


class BloomreachSimulator(SinkSimulator):
    name = "bloomreach"
    title = "Bloomreach Engagement"
    Options = BloomreachOptions

    def service(self, options: BloomreachOptions) -> BloomreachService:
        return BloomreachService(options)

    def settings(self, base_url: str, options: BloomreachOptions) -> dict[str, Any]:
        access = (
            {"api_key_id": options.api_key_id, "api_secret": f"env:{API_SECRET}"}
            if options.access == "private"
            else {"api_token": f"env:{API_TOKEN}"}
        )
        return {"sink": self.name, "base_url": base_url, "project_token": options.project_token, **access}

    def secrets(self, options: BloomreachOptions) -> dict[str, str]:
        return {API_SECRET: options.api_secret} if options.access == "private" else {API_TOKEN: options.api_token}


SIMULATOR = BloomreachSimulator()
