"""What a setting may be, as the service itself knows it once the settings before it are there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that a setting may have."""

    value: str
    label: str
    """What a person knows it by."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Something that a person is asked for, so that a new one can be made at the service."""

    key: str
    title: str
    description: str = ""
    secret: bool = False
    """It is not shown while it is typed; nothing of it is kept here."""
    choices: Sequence[Choice] = ()
    """What it may be; the first is taken where nothing is typed."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The choices that there are, and what it takes to make another one."""

    choices: Sequence[Choice]
    new: Callable[[Mapping[str, str]], Wanted | None] | None = None
    """What is to be asked next, by the answers so far; it gives None once there are enough. None: none can be made."""
