"""Junk under many protocol numbers, to 127.0.0.1 of the network namespace it is started in, and nowhere else.

    python tests/kernel/noise.py --count 400000 --seconds 60

Ends by itself, after so many packets or so much time, whichever is first. A quarter each: random bytes, short packets,
HDP with the tag of a run that never was, and (under number 1) ICMP errors about packets nobody sent.
"""

import argparse
import random
import socket
import struct
import time
from collections.abc import Sequence

HERE = "127.0.0.1"
MOST, LONGEST = 10_000_000, 300.0
COPIES = 4  # different packets of each kind and number
BATCH = 100  # packets between two looks at the clock


def junk(protocols: Sequence[int], seed: int) -> list[bytes]:
    """Whole IPv4 packets in random order, some of each kind for each number."""
    dice = random.Random(seed)
    packets = []
    for number in list(protocols) * COPIES:
        strange_tag = struct.pack("!HHQ", 420, 420, time.time_ns()) + dice.randbytes(28) + b"content"
        error = struct.pack("!BBHI", dice.choice([3, 11, 12]), 2, 0, 0) + ip(dice.choice(protocols), dice.randbytes(40))
        contents = [dice.randbytes(60), dice.randbytes(dice.randrange(8)), strange_tag]
        contents.append(error if number == 1 else strange_tag)
        packets += [ip(number, content) for content in contents]
    dice.shuffle(packets)
    return packets


def ip(protocol: int, payload: bytes) -> bytes:
    """IPv4 packet from and to 127.0.0.1; the kernel fills in identification and checksum: raw(7)."""
    here = socket.inet_aton(HERE)
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, here, here) + payload


def make_noise(
    count: int, seconds: float, protocols: Sequence[int] = range(1, 256), rate: float = 0, seed: int = 0
) -> int:
    """Send at most `count` packets for at most `seconds`, at most `rate` a second (0: as fast as it goes).

    Returns how many were sent. Raises OSError: EPERM without CAP_NET_RAW.
    """
    packets = junk(protocols, seed)
    count, sent = min(count, MOST), 0
    began = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as opened:
        while sent < count and (passed := time.monotonic() - began) < min(seconds, LONGEST):
            if rate and sent > passed * rate:
                time.sleep(BATCH / rate)
                continue
            for packet in (packets[number % len(packets)] for number in range(sent, min(sent + BATCH, count))):
                opened.sendto(packet, (HERE, 0))
                sent += 1
    return sent


def main() -> None:
    """Parse the command line and make noise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help=f"packets, at most {MOST}")
    parser.add_argument("--seconds", type=float, default=10, help=f"at most {LONGEST:.0f}")
    parser.add_argument("--rate", type=float, default=0, help="packets a second; 0, the default: as fast as it goes")
    parser.add_argument("--protocols", default="1-255", help="first and last number, or one")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    first, _, last = options.protocols.partition("-")
    protocols = range(int(first), int(last or first) + 1)
    sent = make_noise(options.count, options.seconds, protocols, options.rate, options.seed)
    print(f"{sent} packets of noise")


if __name__ == "__main__":
    main()
