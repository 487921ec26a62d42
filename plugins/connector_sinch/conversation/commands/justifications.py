"""Why retention was changed: kept in a file beside the configuration, before the change is made."""

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from connector.model.errors import InputError
from connector_sinch.conversation.resources.apps import App

NAME = "legal-justifications.jsonl"


def keep(
    config: Path,
    *,
    app_id: str,
    before: App,
    wanted: Mapping[str, Any],
    justification: str,
    at: datetime,
) -> Path:
    """Add a line to the file; its path. Raises `InputError` where it can't be written: then nothing may be changed."""
    line = {
        "at": at,
        "app_id": app_id,
        "before": {
            "retention_policy": before.retention_policy.as_dict(),
            "dispatch_retention_policy": before.dispatch_retention_policy.as_dict(),
        },
        "wanted": wanted,
        "legal_justification": justification,
    }
    path = config.absolute().parent / NAME
    try:
        with path.open("ab") as file:
            file.write(to_json(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(f"{path} can't be written ({error.strerror}), so nothing was changed.") from error
    return path
