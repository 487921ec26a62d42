"""Events as CloudEvents 1.0, for sinks that offer that envelope."""

from collections.abc import Mapping
from typing import Any

from cloudevents.core.v1.event import CloudEvent
from pydantic_core import to_jsonable_python

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
    return CloudEvent(attributes, to_jsonable_python(told(event, properties)))
