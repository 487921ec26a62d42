"""How connections are made: their answers end in time as a whole, and they may lead to public addresses alone."""

import ipaddress
import socket
import ssl
import time
from contextlib import suppress
from typing import Any

import httpcore

_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
"""Where the last 32 bits are an IPv4 address: for translators (RFC 6052), and once (RFC 4291, 2.5.5.1)."""


class _Prompt(httpcore.NetworkStream):
    """A connection whose answers end in time as a whole: the library's timeout is for each piece of one."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self._asked_at = time.monotonic()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if timeout is not None:
            timeout -= time.monotonic() - self._asked_at
            if timeout <= 0:
                raise httpcore.ReadTimeout("the answer had not ended by then")
        return self._stream.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)
        self._asked_at = time.monotonic()

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Prompt(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class Network(httpcore.SyncBackend):
    """Connects as the library does; each answer ends in time as a whole."""

    def connect_tcp(self, host: str, port: int, *how: Any, **named: Any) -> httpcore.NetworkStream:
        return _Prompt(super().connect_tcp(host, port, *how, **named))


class NotPublic(httpcore.ConnectError):
    """A name leads to an address that isn't public."""


class PublicNetwork(Network):
    """Connects to public addresses alone: what a name leads to is looked at and connected to in one step."""

    def connect_tcp(self, host: str, port: int, *how: Any, **named: Any) -> httpcore.NetworkStream:
        try:
            addresses = addresses_of(host, port)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        if not all(map(is_public, addresses)):
            raise NotPublic
        for address in addresses[:-1]:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return super().connect_tcp(str(address), port, *how, **named)
        return super().connect_tcp(str(addresses[-1]), port, *how, **named)


def addresses_of(host: str, port: int) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Where a name leads. Raises `OSError` where that can't be found out."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError("no name of a machine") from error
    return [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address, and the one that it may carry, is one of the open internet."""
    if isinstance(address, ipaddress.IPv6Address) and (inside := _carried(address)) is not None:
        return is_public(inside)
    return address.is_global and not address.is_multicast and not getattr(address, "is_site_local", False)


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for, where it does."""
    if address in _TRANSLATED or address in _COMPATIBLE:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
