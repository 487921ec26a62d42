"""The loopback API of the provider contract kit, by the name that tests know it by."""

from connector.testing.answering import Api, Seen, answering

__all__ = ["Api", "Seen", "answering"]
