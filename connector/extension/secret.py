"""A secret in the configuration: the reference to it, never its value."""

import re
import time
from collections.abc import Callable
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from connector.model.errors import ConfigurationError

REFERENCE = r"^(env|file|keyring):.+$"
RECENT_SECONDS = 5.0


class Secret:
    """Where a secret is found: `env:NAME`, `file:PATH` or `keyring:NAME`, or a host's own name.

    The value is read when it is used, and never printed or compared; only `recent` keeps it, for some seconds.
    """

    __slots__ = ("_read", "_recent", "reference")

    def __init__(self, reference: str, read: Callable[[str], str] | None = None) -> None:
        self.reference = reference
        self._read = read
        self._recent: tuple[str, float] | None = None

    def value(self) -> str:
        """The secret itself.

        Raises `ConfigurationError` when it can't be found.
        """
        if self._read is None:
            raise RuntimeError("this secret was not bound to a reader")
        try:
            value: object = self._read(self.reference)
        except ConfigurationError:
            raise
        except Exception as error:
            # What it raised may hold the secret.
            raise ConfigurationError(f"The host's function for secrets failed ({type(error).__name__}).") from None
        # With an empty one anybody could sign.
        if not isinstance(value, str) or not value:
            raise ConfigurationError("The host's function for secrets found none for a setting that needs one.")
        return value

    def recent(self) -> str:
        """The secret as it was at most `RECENT_SECONDS` ago: for callbacks, of which many come in a second.

        It may have been changed since: before it makes anyone a stranger, compare with `value` too. Raises as
        `value` does.
        """
        now = time.monotonic()
        recent = self._recent
        if recent is None or now >= recent[1]:
            recent = self._recent = self.value(), now + RECENT_SECONDS
        return recent[0]

    def bound(self, read: Callable[[str], str]) -> "Secret":
        """The same secret, with the function that finds it."""
        return Secret(self.reference, read)

    def __repr__(self) -> str:
        kind = self.reference.partition(":")[0]
        # Of anything else it isn't known whether it is a name or, by mistake, the secret.
        return f"Secret({kind}:...)" if re.match(REFERENCE, self.reference) else "Secret(...)"

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: object) -> "Secret":
        return self

    def __reduce__(self) -> tuple[type["Secret"], tuple[str]]:
        # What reads it stays behind: it may hold every secret of the host.
        return Secret, (self.reference,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reference == self.reference

    def __hash__(self) -> int:
        return hash(self.reference)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        reader = core_schema.with_info_after_validator_function(
            lambda reference, info: cls(reference, (info.context or {}).get("read_secret")),
            core_schema.str_schema(min_length=1),
        )
        return core_schema.json_or_python_schema(
            json_schema=reader,
            python_schema=core_schema.union_schema([core_schema.is_instance_schema(cls), reader]),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda secret: secret.reference),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": REFERENCE, "writeOnly": True}
