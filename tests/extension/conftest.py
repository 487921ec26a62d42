from receiving_kit import api, clock, connector

__all__ = ["api", "clock", "connector"]
