"""Asking a service what a setting may be, before there is an integration."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from connector.extension.offer import Offer
from connector.extension.provider import Provider
from connector.http import Http


def offered(kind: type[Provider], key: str, settings: Mapping[str, Any]) -> Offer:
    """What the setting `key` may be, where the others are known; raises as `Provider.offer` does."""
    with _http() as http:
        return kind.offer(key, settings, http)


def made(kind: type[Provider], key: str, answers: Mapping[str, str], settings: Mapping[str, Any]) -> str:
    """A new value for the setting `key`; raises as `Provider.make` does."""
    with _http() as http:
        return kind.make(key, answers, settings, http)


@contextmanager
def _http() -> Iterator[Http]:
    http = Http()
    try:
        yield http
    finally:
        http.close()
