"""What the simulated project can be told."""

from typing import Annotated, Literal

from pydantic import Field

from connector.simulator import Options
from connector.simulator.options import Pace

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]+$")]


class BloomreachOptions(Options):
    """A simulated project of Bloomreach Engagement.

    Both kinds of access are open at any time; `access` says which one the printed configuration uses.
    """

    access: Literal["private", "public"] = "private"
    """What the printed configuration uses."""
    project_token: Id = "simulated-project"
    """The project's token."""
    api_key_id: Id = "simulated-key"
    """The ID of the private API key."""
    api_secret: str = "simulated-secret"
    """The secret of the private API key."""
    api_token: str = "simulated-token"
    """The token of public access."""
    event_types: tuple[str, ...] | None = None
    """The event types that may be tracked; without it, any."""
    requests_per_second: Pace | None = 100.0
    """More requests within a second are answered with 429."""
    retry_after_seconds: Annotated[int, Field(ge=0)] | None = None
    """What a 429 says in `Retry-After`; without it, nothing."""
    remember: bool = True
    """Whether events are kept, for who wants to see them; without it they are only counted."""
