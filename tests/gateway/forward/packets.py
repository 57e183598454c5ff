"""Packets of a station, to be sent."""

from gateway.hj212.packet import Packet, Segment, build

MN = "010000A8900016F000169DC0"


def packet(number: int) -> Packet:
    items = ((("DataTime", f"20260301{number:06d}"),), (("i33200-Avg", "12.3"),))
    return build(Segment(f"20260301081500{number:03d}", "32", "2051", "123456", MN, 5, items))


def text(number: int) -> Packet:
    """A log text."""
    items = ((("DataTime", f"20260301{number:06d}"),), (("i21001-Info", "//x//"),))
    return build(Segment(f"20260301081500{number:03d}", "32", "3020", "123456", MN, 5, items))
