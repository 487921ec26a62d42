"""The JSON Schemas (2020-12) of configuration and campaign, composed from the plugins that are loaded."""

import copy
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from pydantic import BaseModel
from referencing import Registry, Resource

from connector.config.settings import Tables
from connector.extension.plugins import Plugins
from connector.extension.provider import Provider
from connector.extension.secret import REFERENCE
from connector.extension.sink import NAME as SINK_NAME
from connector.extension.sink import Sink
from connector.model.campaign import Campaign, Message
from connector.model.errors import PluginError

DIALECT = "https://json-schema.org/draft/2020-12/schema"
CONFIGURATION = "configuration"
CAMPAIGN = "campaign"

Schema = dict[str, Any]


def schema_id(name: str) -> str:
    """The stable `$id` of a schema."""
    return f"urn:campaign-connector:schema:{name}"


def compose(plugins: Plugins) -> dict[str, Schema]:
    """Every schema by name: `configuration`, `campaign`, `integration.NAME` of each provider, `sink.NAME` of each sink.

    And `message.NAME` of each provider that takes more than texts. Raises `PluginError` when a plugin's settings, or
    its messages, have no JSON Schema.
    """
    providers = dict(sorted(plugins.providers.items()))
    sinks = dict(sorted(plugins.sinks.items()))
    return {
        CONFIGURATION: _configuration(providers, sinks),
        CAMPAIGN: campaign_schema(),
        **{
            f"integration.{name}": _offered("integration", "provider", name, offered)
            for name, offered in providers.items()
        },
        **{f"sink.{name}": _offered("sink", "sink", name, offered) for name, offered in sinks.items()},
        **{f"message.{name}": message_schema(each) for name, each in providers.items() if each.Message is not Message},
    }


def text(schema: Schema) -> str:
    """A schema as it is printed and published."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def campaign_schema() -> Schema:
    """The schema of a campaign, which needs no plugin."""
    return _headed(CAMPAIGN, Campaign)


def message_schema(provider: type[Provider]) -> Schema:
    """The schema of what a provider takes as a campaign's message: of a document that has it under `message`.

    Raises `PluginError` when it has none.
    """
    name = f"message.{provider.name}"
    try:
        schema = _headed(name, provider.Message)
    except Exception as error:
        raise PluginError(f"The messages of {provider.name} have no JSON Schema: {type(error).__name__}.") from error
    message = {key: schema.pop(key) for key in list(schema) if key not in ("$schema", "$id", "$defs")}
    return {**schema, "type": "object", "properties": {"message": message}}


def _headed(name: str, model: type[BaseModel]) -> Schema:
    schema = {"$schema": DIALECT, "$id": schema_id(name), **copy.deepcopy(_of_model(model))}
    for each in (schema, *schema.get("$defs", {}).values()):
        if "description" in each:
            # Of a class's docstring the first paragraph is for those who fill in forms.
            each["description"] = each["description"].partition("\n\n")[0]
    return schema


@lru_cache(maxsize=64)
def _of_model(model: type[BaseModel]) -> Schema:
    """The schema of a model: making one takes longer than all else that a configuration is read by."""
    return model.model_json_schema()


def _configuration(providers: Mapping[str, type[Provider]], sinks: Mapping[str, type[Sink]]) -> Schema:
    schema = _headed(CONFIGURATION, Tables)
    schema["title"] = "Configuration"
    schema["description"] = "The settings of a whole connector: connector.toml."
    schema["properties"] = {
        "integrations": {
            "title": "Integrations",
            "description": "Configured uses of providers, each under a name of your own.",
            "type": "object",
            "additionalProperties": {"$ref": "#/$defs/Integration"},
        },
        **schema["properties"],
        "sinks": {
            "title": "Sinks",
            "description": "Platforms that receive events, each under a name of your own.",
            "type": "object",
            "propertyNames": {
                "type": "string",
                "pattern": SINK_NAME,
                "examples": ["crm"],
                "description": "The name of a sink is made of letters, digits, - and _, at most 100 of them.",
            },
            "additionalProperties": {"$ref": "#/$defs/Sink"},
        },
    }
    schema["$defs"]["Integration"] = {
        "title": "Integration",
        "description": "A provider, and its settings.",
        **_one_of_those(
            "integration", "provider", "The messaging service, by the name that its plugin gives it.", providers
        ),
    }
    schema["$defs"]["Sink"] = {
        "title": "Sink",
        "description": "A platform, and its settings.",
        **_one_of_those("sink", "sink", "The kind of platform, by the name that its plugin gives it.", sinks),
    }
    return schema


def _one_of_those(prefix: str, key: str, description: str, names: Iterable[str]) -> Schema:
    """A table whose `key` says which plugin's settings it has."""
    known = list(names)
    schema: Schema = {
        "type": "object",
        "properties": {key: {"title": key.capitalize(), "description": description, "enum": known}},
        "required": [key],
        "allOf": [
            {
                "if": {"properties": {key: {"const": name}}, "required": [key]},
                "then": {"$ref": schema_id(f"{prefix}.{name}")},
            }
            for name in known
        ],
    }
    if not known:
        # An empty allOf is no valid schema.
        del schema["allOf"]
    return schema


def _offered(prefix: str, key: str, name: str, offered: type[Provider] | type[Sink]) -> Schema:
    try:
        schema = _headed(f"{prefix}.{name}", offered.Settings)
    except Exception as error:
        raise PluginError(f"The settings of {key} {name} have no JSON Schema: {type(error).__name__}.") from error
    schema["title"] = offered.title
    schema["properties"] = {key: {"title": key.capitalize(), "const": name}, **schema.get("properties", {})}
    schema["required"] = [key, *schema.get("required", [])]
    return schema


@dataclass(frozen=True, slots=True)
class Rules:
    """What a document is checked against: one schema, and the others that it refers to."""

    validator: Draft202012Validator
    resolve: Callable[[str], Schema]
    """The schema behind a `$ref` that the validator meets."""


def rules(schemas: Mapping[str, Schema], name: str, *, own_secrets: bool = False) -> Rules:
    """The rules of the schema `name`.

    With `own_secrets` a secret may be given by any name, because the host resolves them.
    """
    readied = {schema["$id"]: _readied(schema, schema["$id"], own_secrets) for schema in schemas.values()}
    registry: Registry[Any] = Registry().with_resources(
        (identifier, Resource.from_contents(schema)) for identifier, schema in readied.items()
    )
    validator = Draft202012Validator(
        readied[schema_id(name)], registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    return Rules(validator, lambda reference: registry.resolver().lookup(reference).contents)


def _readied(node: Any, identifier: str, own_secrets: bool) -> Any:
    """The same schema with absolute references, and without the pattern of secrets if the host has its own."""
    if isinstance(node, list):
        return [_readied(item, identifier, own_secrets) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _readied(value, identifier, own_secrets) for key, value in node.items()}
    reference = node.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        node["$ref"] = identifier + reference
    if own_secrets and node.get("pattern") == REFERENCE:
        del node["pattern"]
        node["minLength"] = 1
    return node
