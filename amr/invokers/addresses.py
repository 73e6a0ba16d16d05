"""Which addresses HTTP functions may call: public ones, unless the operator says otherwise.

A name is resolved here, all of its addresses are checked, and the call goes to one of those: a name
server that answers something else the next time changes nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time

_FRESH_S = 30.0

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class PrivateAddressError(ValueError):
    """A host has an address that is not public."""


def literal_address(host: str) -> Address | None:
    """Returns the address that a host of a URL is, however it is written; None for a name."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        pass
    try:
        # As the system reads it: 127.1, 0x7f000001 and 2130706433 are 127.0.0.1.
        return ipaddress.IPv4Address(socket.inet_aton(host)) if host[:1].isdigit() else None
    except OSError:
        return None


def is_public(address: Address) -> bool:
    """Whether an address is one of the open internet."""
    mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    return address.is_global and not address.is_multicast and (mapped is None or is_public(mapped))


def check_host(host: str) -> None:
    """Checks what can be known of a host without asking a name server.

    Raises:
        PrivateAddressError: it is an address that is not public, or this machine's name.
    """
    address = literal_address(host)
    name = host.lower().rstrip(".")
    local = name == "localhost" or name.endswith(".localhost")
    if local or (address is not None and not is_public(address)):
        raise PrivateAddressError(f"{host} is not a public address")


class PublicHost:
    """Resolves one host for the calls to it.

    Args:
        host: name or address.
        port: that is called.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._address = ""
        self._resolved_at = float("-inf")

    async def address(self) -> str:
        """Returns an address to call, resolved within the last half minute.

        Raises:
            PrivateAddressError: one of its addresses is not public.
            OSError: it has none.
        """
        if time.monotonic() - self._resolved_at > _FRESH_S:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            addresses = [str(place[4][0]).partition("%")[0] for place in found]
            for address in addresses:
                if not is_public(ipaddress.ip_address(address)):
                    raise PrivateAddressError(f"{self._host} has the address {address}")
            self._address, self._resolved_at = addresses[0], time.monotonic()
        return self._address
