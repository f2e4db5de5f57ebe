"""Run a command on a kernel that seems to lack something: `python lacking.py WHAT[,WHAT...] COMMAND [ARGUMENT...]`.

The kernel is the running one; a seccomp filter, which all children inherit, refuses what an older or smaller one
would, with the errno that one gives. It needs no privilege.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from errno import EAFNOSUPPORT, EINVAL, ENOPROTOOPT, ENOSPC, ENOSYS, EPERM, EPROTONOSUPPORT
from typing import NamedTuple

MACHINES = {
    "x86_64": (
        0xC000003E,
        {"socket": 41, "getsockopt": 55, "clone": 56, "unshare": 272, "pidfd_open": 434},
    ),
    "aarch64": (
        0xC00000B7,
        {"socket": 198, "getsockopt": 209, "clone": 220, "unshare": 97, "pidfd_open": 434},
    ),
}
"""The audit architecture and the system calls' numbers."""

AF_INET, AF_INET6, AF_NETLINK, AF_PACKET = 2, 10, 16, 17
SOCK_TYPE, SOCK_RAW = 0xF, 3  # the other bits are SOCK_NONBLOCK and SOCK_CLOEXEC
NETLINK_NETFILTER = 12
SOL_SOCKET, SO_MEMINFO = 1, 55
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
ALL = 0xFFFFFFFF


class When(NamedTuple):
    """An argument of the call, of which the bits of `mask` are from `lowest` to `highest`."""

    argument: int
    lowest: int
    highest: int
    mask: int = ALL


class Refusal(NamedTuple):
    """A system call that fails with `errno` where all conditions hold."""

    call: str
    errno: int
    when: tuple[When, ...] = ()


def _with_flag(errno: int, flag: int, *calls: str) -> tuple[Refusal, ...]:
    return tuple(Refusal(call, errno, (When(0, flag, flag, flag),)) for call in calls)


LACKS: dict[str, tuple[Refusal, ...]] = {
    # before Linux 5.6: IPPROTO_MAX is 256
    "raw256": (Refusal("socket", EINVAL, (When(0, AF_INET, AF_INET), When(2, 256, 262))),),
    # before Linux 5.3
    "pidfd": (Refusal("pidfd_open", ENOSYS),),
    # CONFIG_PACKET is not set
    "packet": (Refusal("socket", EAFNOSUPPORT, (When(0, AF_PACKET, AF_PACKET),)),),
    # without CAP_NET_RAW, whoever one is
    "raw": (Refusal("socket", EPERM, (When(0, AF_INET, AF_INET), When(1, SOCK_RAW, SOCK_RAW, SOCK_TYPE))),),
    # CONFIG_NETFILTER_NETLINK is not set
    "nft": (
        Refusal(
            "socket",
            EPROTONOSUPPORT,
            (When(0, AF_NETLINK, AF_NETLINK), When(2, NETLINK_NETFILTER, NETLINK_NETFILTER)),
        ),
    ),
    # a security module or a container's own filter forbids user namespaces; user.max_user_namespaces is 0
    "userns": _with_flag(EPERM, CLONE_NEWUSER, "unshare", "clone"),
    "userns_max": _with_flag(ENOSPC, CLONE_NEWUSER, "unshare", "clone"),
    # CONFIG_NET_NS is not set
    "netns": _with_flag(EINVAL, CLONE_NEWNET, "unshare", "clone"),
    # before Linux 4.12
    "meminfo": (
        Refusal("getsockopt", ENOPROTOOPT, (When(1, SOL_SOCKET, SOL_SOCKET), When(2, SO_MEMINFO, SO_MEMINFO))),
    ),
    # CONFIG_IPV6 is not set
    "ipv6": (Refusal("socket", EAFNOSUPPORT, (When(0, AF_INET6, AF_INET6),)),),
}

_LOAD, _AND, _EQUAL, _AT_LEAST, _ABOVE, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x25, 0x06
_ERRNO, _ALLOW = 0x00050000, 0x7FFF0000
_CALL, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data, linux/seccomp.h
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2

Instruction = tuple[int, int, int, int]


def program(refusals: tuple[Refusal, ...], machine: str) -> list[Instruction]:
    """Return the filter, as instructions (code, jump if true, jump if false, constant)."""
    architecture, calls = MACHINES[machine]
    allow = (_RETURN, 0, 0, _ALLOW)
    found = [(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, architecture), allow]
    for refusal in refusals:
        found += _block(calls[refusal.call], refusal)
    return [*found, allow]


def _block(number: int, refusal: Refusal) -> list[Instruction]:
    """Instructions of one refusal; what it does not fit jumps behind its last one."""
    size = 2 + 4 * len(refusal.when) + 1
    block: list[Instruction] = [(_LOAD, 0, 0, _CALL), (_EQUAL, 0, size - 2, number)]
    for each in refusal.when:
        block += [(_LOAD, 0, 0, _ARGUMENTS + 8 * each.argument), (_AND, 0, 0, each.mask)]
        block += [(_AT_LEAST, 0, size - len(block) - 1, each.lowest)]
        block += [(_ABOVE, size - len(block) - 1, 0, each.highest)]
    return [*block, (_RETURN, 0, 0, _ERRNO | refusal.errno)]


def lack(names: list[str]) -> None:
    """Make this process, and all that it starts, live without these. Raises KeyError, OSError."""
    refusals = tuple(refusal for name in names for refusal in LACKS[name])
    code = b"".join(struct.pack("=HBBI", *each) for each in program(refusals, platform.machine()))
    held = ctypes.create_string_buffer(code, len(code))
    filter_program = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(held)))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in (
        (_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (_PR_SET_SECCOMP, _MODE_FILTER, ctypes.c_void_p(ctypes.addressof(filter_program)), 0, 0),
    ):
        if libc.prctl(*arguments) < 0:
            raise OSError(ctypes.get_errno(), "prctl: " + os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    lack(sys.argv[1].split(","))
    os.execvp(sys.argv[2], sys.argv[2:])
