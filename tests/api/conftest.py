"""The scripted provider and the clock of `receiving_kit`, for these tests."""

from receiving_kit import api, clock

__all__ = ["api", "clock"]
