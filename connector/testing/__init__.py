"""The fault kit: processes that die or freeze at a chosen moment, full disks, busy ledgers, clocks that jump.

For tests of this project and of plugins; nothing of production imports it. Any provider that has a simulator can
be put through it: `python -m connector.testing sweep PROVIDER`. `ProviderContract` is what every provider must satisfy.
"""

from connector.testing.contract import ProviderContract

__all__ = ["ProviderContract"]
