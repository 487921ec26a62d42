"""A keyring in a file, for commands that run in a process of their own."""

import json
import os
from pathlib import Path
from typing import ClassVar

import keyring.backend


class Nest(keyring.backend.KeyringBackend):
    """Keeps everything in the file that $NEST names."""

    priority: ClassVar[float] = 1

    def get_password(self, service: str, username: str) -> str | None:
        secret: str | None = self._held().get(f"{service}/{username}")
        return secret

    def set_password(self, service: str, username: str, password: str) -> None:
        Path(os.environ["NEST"]).write_text(json.dumps({**self._held(), f"{service}/{username}": password}))

    def _held(self) -> dict[str, str]:
        path = Path(os.environ["NEST"])
        held: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        return held
