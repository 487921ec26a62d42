"""A small provider for tests of the configuration, and a plugin that offers it."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from connector.extension import CheckResult, IntegrationSettings, Provider, Secret, hookimpl
from connector.extension.plugins import Plugins
from connector.model.batch import Batch
from connector.model.limits import Limits
from connector.model.outcome import Accepted, Outcome
from connector.model.report import Receipt, Report


class PigeonSettings(IntegrationSettings):
    """A loft of pigeons.

    This paragraph is for programmers only.
    """

    region: Annotated[Literal["coast", "valley", "hills"], Field(title="Region")]
    loft: Annotated[str, Field(min_length=2, max_length=10, description="The name over the door.")]
    whistle: Annotated[Secret | None, Field(title="Whistle")] = None
    keeper: str | None = None
    keeper_password: Secret | None = None
    signets: Annotated[Secret | list[Secret] | None, Field(description="Seals of the letters.")] = None
    rings: Annotated[tuple[Secret, ...], Field(max_length=2)] = ()
    pin: Annotated[int | None, Field(ge=1000, json_schema_extra={"writeOnly": True})] = None
    tune: Annotated[str | None, Field(json_schema_extra={"writeOnly": True})] = None
    base_url: Annotated[
        str | None, Field(pattern="^https?://", examples=["http://127.0.0.1:9000"], description="Another loft.")
    ] = None
    code: Annotated[str | None, Field(pattern="^[A-Z]+$")] = None
    days: Annotated[tuple[Literal["mon", "tue"], ...], Field(min_length=1, json_schema_extra={"uniqueItems": True})] = (
        "mon",
    )

    @field_validator("tune")
    @classmethod
    def _plays(cls, tune: str | None) -> str | None:
        if tune and "off" in tune:
            raise ValueError(f"the tune {tune} can't be played")
        if tune == "crash":
            raise RuntimeError("a bug of the plugin")
        return tune

    @model_validator(mode="after")
    def _one_way_in(self) -> "PigeonSettings":
        if (self.whistle is None) == (self.keeper is None):
            raise ValueError("give either whistle, or keeper and keeper_password")
        return self


class Pigeon(Provider):
    name = "carrier-pigeon"
    title = "Pigeons"
    Settings = PigeonSettings
    limits = Limits()
    codes: ClassVar[dict[Any, Any]] = {}
    declines: ClassVar[dict[str, str]] = {
        "find": "a pigeon in the air can't be seen",
        "poll": "pigeons come when they come",
        "inbound": "pigeons carry no answers",
        "cancel": "nobody calls a pigeon back",
        "verify": "pigeons don't sign",
    }

    def __init__(self, integration: Any, http: Any) -> None:
        self.integration = integration

    @property
    def account(self) -> str:
        return f"carrier-pigeon:{self.integration.settings.loft}"

    def check(self) -> list[CheckResult]:
        return []

    def send(self, batch: Batch) -> Outcome:
        return Accepted(batch.key)

    def parse(self, report: Report) -> list[Receipt]:
        return []


class PigeonPlugin:
    @hookimpl
    def connector_provider(self) -> type[Provider]:
        return Pigeon


def pigeons() -> Plugins:
    """The plugins of a connector that knows pigeons only."""
    return Plugins([PigeonPlugin()], installed=False)


def settings_of(**integration: Any) -> dict[str, Any]:
    """A configuration that is right, with changes to its one integration."""
    right = {"provider": "carrier-pigeon", "region": "coast", "loft": "north", "whistle": "env:WHISTLE"}
    return {"integrations": {"birds": {**right, **integration}}}
