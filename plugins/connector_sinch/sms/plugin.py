"""The plugin `sinch-sms`."""

from connector.extension import Provider, hookimpl
from connector_sinch.sms.provider import SinchSms


@hookimpl
def connector_provider() -> type[Provider]:
    """Offer the Sinch SMS API."""
    return SinchSms
