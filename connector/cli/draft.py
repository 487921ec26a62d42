"""A configuration as it would be, while somebody is still asked for it."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from connector.cli.questions import Path, Subject
from connector.config.load import beside, check_settings
from connector.config.messages import place
from connector.config.secrets import read_secret
from connector.config.settings import Settings
from connector.extension.plugins import Plugins
from connector.model.errors import ConfigurationError, Fault


class Draft:
    """One integration or sink of a configuration, in the making."""

    def __init__(self, document: Mapping[str, Any], plugins: Plugins, source: str, subject: Subject) -> None:
        self.document: dict[str, Any] = copy.deepcopy(dict(document))
        self.subject = subject
        self.pasted: dict[str, str] = {}
        """Reference to secret, for secrets that are not at their place yet."""
        self._saved = document
        self._plugins = plugins
        self._source = source
        self.put((*subject.path, subject.key), subject.kind)

    def get(self, path: Path) -> Any:
        """The value at a path; None: there is none."""
        return _at(self.document, path)

    def is_saved(self, path: Path) -> bool:
        """Whether the configuration had something at a path before."""
        return _at(self._saved, path) is not None

    def put(self, path: Path, value: Any) -> None:
        """Set a value; None takes it away."""
        table = self.document
        for key in path[:-1]:
            table = table.setdefault(key, {})
        if value is None:
            table.pop(path[-1], None)
        else:
            table[path[-1]] = value

    def faults(self) -> list[Fault]:
        """Everything that is wrong with it."""
        try:
            check_settings(self.document, self._plugins, self._source)
        except ConfigurationError as error:
            return error.faults
        return []

    def faults_at(self, path: Path) -> list[str]:
        """What is wrong with the value at a path, as sentences."""
        at = place(path)
        return [
            fault.message
            for fault in self.faults()
            if fault.place == at or fault.place.startswith((f"{at}.", f"{at}["))
        ]

    def settings(self, **tables: Any) -> Settings:
        """The settings that it makes, with tables in the place of its own. Raises `ConfigurationError`."""
        # Without a reader of ours first: with one, a secret may have any name.
        check_settings(self.document, self._plugins, self._source)
        settings = check_settings({**self.document, **tables}, self._plugins, self._source, self.reader())
        return beside(settings, self._source)

    def reader(self) -> Callable[[str], str]:
        """Reads a secret: as it was pasted, or at its place."""
        return lambda reference: self.pasted.get(reference) or read_secret(reference)


def _at(document: Any, path: Path) -> Any:
    for key in path:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document
