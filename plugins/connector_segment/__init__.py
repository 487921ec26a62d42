"""Twilio Segment: events into a workspace, by the HTTP tracking API."""
