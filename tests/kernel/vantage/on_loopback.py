"""What a station on loopback is asked to send, and how: shared by the tests of the station."""

from pathlib import Path

from pytest_hdp.vantage import bpf

TOP = Path(__file__).parents[3]


HERE = "127.0.0.1"


NEEDLE = b"run id 8"


OURS = bpf.matching(NEEDLE, [0])


LINK = (
    "link add name near type veth peer name far",
    "addr add 192.0.2.1/24 dev near",
    "link set near up",
    "link set far up",
)


def descriptors():
    return {each.name for each in Path("/proc/self/fd").iterdir()}


def send_all(station, handle, packets, address=HERE, port=0):
    assert [station.send(handle, packet, address, port) for packet in packets] == [None] * len(packets)
