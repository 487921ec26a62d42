"""Reasons for skipping and states of messages, in plain words."""

from connector.model.event import SkipReason

REASONS: dict[str, str] = {
    SkipReason.invalid_number: "the number can't exist, or is missing",
    SkipReason.duplicate: "the same person stands earlier in the list",
    SkipReason.missing_parameter: "the text needs a value that the row doesn't have",
    SkipReason.too_long: "the text would take more parts or characters than allowed",
    SkipReason.country: "no sender of the campaign is used in this country",
    "expired": "the campaign's time was over before it could be sent",
}
"""A host's own reasons speak for themselves."""
