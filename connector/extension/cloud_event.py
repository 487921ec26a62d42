"""Events as CloudEvents 1.0, for sinks that offer that envelope."""

from collections.abc import Mapping
from typing import Any

from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from pydantic_core import to_json

from connector.extension.neutral import told
from connector.model.event import Event

TYPE = "campaign.message"


def type_of(event: Event) -> str:
    """The type of an event: `campaign.message.delivered` and the like."""
    return f"{TYPE}.{event.status}"


def cloud_event(event: Event, properties: Mapping[str, str], source: str) -> CloudEvent:
    """An event under its own id, of this source; its data are its fields, by the names that `properties` gives them.

    Events of one message have its id as `subject` and `partitionkey`. Source: the CloudEvents specification 1.0 and
    its extension Partitioning.
    """
    attributes: dict[str, Any] = {
        "id": event.id,
        "source": source,
        "type": type_of(event),
        "specversion": "1.0",
        "time": event.occurred_at,
        "datacontenttype": "application/json",
    }
    if event.message_id is not None:
        attributes |= {"subject": event.message_id, "partitionkey": event.message_id}
    return CloudEvent(attributes, told(event, properties))


class CloudEventJson(JSONFormat):
    """How a `cloud_event` is written; the library's own way takes thrice as long, a third of all that a sink costs."""

    def write(self, event: BaseCloudEvent) -> bytes:
        return to_json({**event.get_attributes(), "data": event.get_data()})
