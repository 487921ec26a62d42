"""A ready provider, and an API on loopback that only answers."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stamina
from answering_api import Api, answering
from connector_sinch.sms.provider import SinchSms
from connector_sinch.sms.settings import SmsSettings
from sinch_sms_kit import OF_PROJECT, PLAN, TOKEN, secret

from connector.extension import Integration
from connector.http import Http


@pytest.fixture
def api() -> Iterator[Api]:
    with answering() as told:
        yield told


@pytest.fixture
def http() -> Iterator[Http]:
    made = Http()
    yield made
    made.close()


@pytest.fixture
def make_provider(http: Http) -> Callable[..., SinchSms]:
    def make(base_url: str | None = None, **settings: Any) -> SinchSms:
        given = {"service_plan_id": PLAN, "api_token": secret(TOKEN), "region": "eu", "base_url": base_url, **settings}
        return SinchSms(Integration("sms-eu", SmsSettings(**given)), http)

    return make


@pytest.fixture
def of_project(make_provider: Callable[..., SinchSms], api: Api) -> SinchSms:
    """A provider that signs in by an access key, and talks to `api`."""
    return make_provider(api.url, auth_url=api.url, **OF_PROJECT)


@pytest.fixture
def provider(make_provider: Callable[..., SinchSms], api: Api) -> SinchSms:
    """A provider that talks to `api`."""
    return make_provider(api.url)


@pytest.fixture(autouse=True)
def _reads_are_not_waited_for() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2):
        yield
