"""Hosts as configurations name them."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether a host is this machine; of a name other than localhost nothing is known."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
