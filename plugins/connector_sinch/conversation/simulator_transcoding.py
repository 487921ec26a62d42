"""Messages as the channels would get them, in the simulated Conversation API. Source: "Transcoding"."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import to_json

from connector_sinch.conversation.simulator_options import Channel
from connector_sinch.conversation.simulator_request import AppId, Request, check_message


class Transcode(Request):
    """A request to show a message as channels would get it; nothing is sent."""

    app_id: AppId
    app_message: Annotated[dict[str, Any], AfterValidator(check_message)]
    channels: Annotated[list[Channel], Field(min_length=1)]
    sender: Annotated[str, Field(alias="from")] = ""
    to: str = ""


def transcode(request: Transcode) -> dict[str, str]:
    """Channel to the message in the channel's form, as far as the simulator knows one."""
    return {channel: _on_channel(request, channel) for channel in request.channels}


def _on_channel(request: Transcode, channel: str) -> str:
    message = request.app_message
    own: str | None = message.get("explicit_channel_message", {}).get(channel)
    if own is not None:
        return own
    content = message.get("explicit_channel_omni_message", {}).get(channel) or message
    specific = message.get("channel_specific_message", {}).get(channel)
    if specific is not None:
        return to_json({"to": request.to, "type": specific["message_type"], **specific}).decode()
    template = (content.get("template_message") or {}).get("channel_template", {}).get(channel)
    if template is not None:
        return to_json({"to": request.to, "type": "template", "template": template}).decode()
    text = "\n".join(text_lines(content))
    if channel == "WHATSAPP":
        shown = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": request.to, "type": "text"}
        return to_json({**shown, "text": {"body": text}}).decode()
    return to_json({"from": request.sender, "to": request.to, "text": text}).decode()


def text_lines(content: dict[str, Any]) -> list[str]:
    """What a message says where a channel shows nothing but text."""
    lines = []
    for kind, inner in content.items():
        if kind.endswith("_message") and isinstance(inner, dict) and not kind.startswith(("explicit", "channel")):
            lines += _lines(inner)
    return lines


def _lines(inner: Any) -> list[str]:
    if isinstance(inner, list):
        return [line for each in inner for line in _lines(each)]
    if not isinstance(inner, dict):
        return []
    lines = []
    for name, value in inner.items():
        if isinstance(value, str) and name in ("text", "title", "description", "label", "url", "full_name"):
            lines.append(value)
        elif name not in ("message_properties", "omni_template", "channel_template"):
            lines += _lines(value)
    return lines
