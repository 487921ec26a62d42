"""Send campaigns through a messaging provider and get the truth back about every message."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from connector.names import *  # noqa: F403 - type checkers see all of its names
else:

    def __getattr__(name: str) -> Any:
        # Loaded when it is first asked for: the command line looks after Ctrl-C before that.
        if name == "__all__" or name[:1].isupper():
            return getattr(importlib.import_module("connector.names"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
