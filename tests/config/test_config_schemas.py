"""The JSON Schemas: valid, composed from the plugins, and the same as the published copy."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pigeon_kit import Pigeon, PigeonPlugin, PigeonSettings, pigeons, settings_of
from pydantic import ConfigDict

from connector.config.schema import compose, rules, text
from connector.extension import Provider, hookimpl
from connector.extension.plugins import Plugins
from connector.model.errors import PluginError

PUBLISHED = Path(__file__).parents[2] / "schemas"


def test_the_published_copy_is_what_the_plugins_make() -> None:
    made = {f"{name}.json": text(schema) for name, schema in compose(Plugins()).items()}
    published = {path.name: path.read_text(encoding="utf-8") for path in PUBLISHED.iterdir()}
    assert sorted(published) == sorted(made), "connector schema --write schemas"
    assert published == made, "connector schema --write schemas"


@pytest.mark.parametrize("plugins", [Plugins(), pigeons(), Plugins(installed=False)], ids=["installed", "own", "none"])
def test_every_schema_is_valid(plugins: Plugins) -> None:
    for schema in compose(plugins).values():
        Draft202012Validator.check_schema(schema)


def test_every_schema_has_an_id_of_its_own() -> None:
    schemas = compose(pigeons())
    assert {name: schema["$id"] for name, schema in schemas.items()} == {
        "configuration": "urn:campaign-connector:schema:configuration",
        "campaign": "urn:campaign-connector:schema:campaign",
        "integration.carrier-pigeon": "urn:campaign-connector:schema:integration.carrier-pigeon",
    }


def test_a_provider_is_chosen_by_name_and_its_settings_by_reference() -> None:
    schemas = compose(pigeons())
    integration = schemas["configuration"]["$defs"]["Integration"]
    assert integration["properties"]["provider"]["enum"] == ["carrier-pigeon"]
    assert [branch["then"]["$ref"] for branch in integration["allOf"]] == [schemas["integration.carrier-pigeon"]["$id"]]
    settings = schemas["integration.carrier-pigeon"]
    assert settings["properties"]["provider"]["const"] == "carrier-pigeon"
    assert (settings["title"], settings["description"]) == ("Pigeons", "A loft of pigeons.")
    assert settings["required"] == ["provider", "region", "loft"]


def test_secrets_are_write_only() -> None:
    whistle = compose(pigeons())["integration.carrier-pigeon"]["properties"]["whistle"]
    assert whistle["anyOf"][0]["writeOnly"] is True


def test_the_published_schemas_check_a_configuration_by_themselves() -> None:
    schemas = {name: json.loads(text(schema)) for name, schema in compose(pigeons()).items()}
    validator = rules(schemas, "configuration").validator
    assert validator.is_valid(settings_of())
    assert not validator.is_valid(settings_of(region="sea"))
    assert not validator.is_valid(settings_of(provider="cloud"))


def test_settings_without_a_schema_name_their_provider() -> None:
    class Boat:
        """Nothing that JSON knows."""

    class Odd(PigeonSettings):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        boat: Boat | None = None

    class OddPigeon(Pigeon):
        name = "odd-pigeon"
        Settings = Odd

    class OddPlugin:
        @hookimpl
        def connector_provider(self) -> type[Provider]:
            return OddPigeon

    plugins = Plugins([PigeonPlugin(), OddPlugin()], installed=False)
    with pytest.raises(PluginError, match="The settings of provider odd-pigeon have no JSON Schema"):
        compose(plugins)


@pytest.mark.parametrize(
    ("moment", "right"),
    [
        ("2026-12-01T09:00:00+01:00", True),
        ("2026-12-01T09:00:00Z", True),
        ("2026-12-01T09:00:00", False),
        ("2026-13-01T09:00:00Z", False),
        ("soon", False),
    ],
)
def test_the_format_of_times_is_checked(moment: str, right: bool) -> None:
    campaign: dict[str, Any] = {"name": "harvest", "message": {}, "send_at": moment}
    assert rules(compose(pigeons()), "campaign").validator.is_valid(campaign) is right
