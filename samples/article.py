"""The article's two loopback runs as results files: `python samples/article.py FOLDER`; `hdp report` makes the pages.

FOLDER holds the records that the article publishes in its `samples/`: `results_mac_server_mac_client_loopback.md` and
`tcpdump_mac_server_mac_client_loopback.md` (Darwin), `results_no_server_linux_client_loopback.md` and
`tcpdump_linux_server_linux_client_loopback.md` (Linux). Their packets carry no tag, and no control ran beside
them; what that leaves open stays open here.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.expectations.assess import assess
from pytest_hdp.judge.expectations.packaged import builtin
from pytest_hdp.judge.record import to_record
from pytest_hdp.judge.result import IcmpCount, Judgement, LatencyUs, PathInfo, Result
from pytest_hdp.judge.verdict import Outcome, Place, Verdict
from pytest_hdp.packet.registry import lookup

HERE = Path(__file__).parent
LOCALHOST = "127.0.0.1"
DARWIN = PathInfo("loopback", "Darwin, the article", LOCALHOST, LOCALHOST, None)
LINUX = PathInfo("recorded", "loopback, Linux, the article", LOCALHOST, LOCALHOST, None)
ERRNO = {22: "EINVAL", 93: "EPROTONOSUPPORT", 102: "EOPNOTSUPP"}
PROBE_BYTES = 329


def seen_by_tcpdump(text: str) -> set[int]:
    """Return the protocol numbers of the captured packets; those quoted in ICMP errors are indented, and left out."""
    return {int(n) for n in re.findall(r"^\d\d:[^\n]* proto [^\n]*?\((\d+)\), length \d+", text, re.MULTILINE)}


def darwin(folder: Path) -> list[dict[str, object]]:
    """One packet a number, a server on a socket that asks for all protocols (0), and a capture of another run."""
    rows: dict[int, list[list[str]]] = {}
    for line in (folder / "results_mac_server_mac_client_loopback.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0].isdecimal():
            rows.setdefault(int(cells[0]), []).append(cells)
    captured = seen_by_tcpdump((folder / "tcpdump_mac_server_mac_client_loopback.md").read_text(encoding="utf-8"))
    return [made(DARWIN, "darwin-loopback", *darwin_number(n, rows[n], n in captured), "2025-02") for n in sorted(rows)]


def darwin_number(number: int, rows: list[list[str]], captured: bool) -> tuple[Judgement, float | None]:
    """Return what the rows of one number say, and the time difference (us) of its packet."""
    error = re.search(r"os error (\d+)", rows[0][6])
    if error:
        return refused(
            number, ERRNO[int(error[1])], "the client opened and sent in one step; XNU refuses the socket"
        ), None
    probes = [row for row in rows if row[2].isdecimal() and int(row[2]) == PROBE_BYTES and row[7] != "nan"]
    base = Judgement(
        Train(number), Verdict.DELIVERED, Place.RECEIVER_SOCKET, "", final=True, sent=1, wire_protocol=number
    )
    base = replace(base, left=int(captured), arrived=int(captured))
    if probes:
        said = f"{number}, forward: 1 of 1 came to the server's socket with {PROBE_BYTES} bytes; it carried no tag."
        return replace(base, delivered=1, arrived=1, left=1, explanation=said), float(probes[0][7])
    also = ""
    if number == 1:
        also = (
            f"; the {len(rows)} packets that the server counted have 56 bytes: ICMP errors of the kernel, not the probe"
        )
    where = "on lo0 in the capture of another run" if captured else "in no capture"
    said = f"{number}, forward: 1 sent, seen {where}, and never at the server's socket{also}."
    return replace(base, verdict=Verdict.HELD_BY_RECEIVER, place=Place.RECEIVER_KERNEL, explanation=said), None


def linux(folder: Path) -> list[dict[str, object]]:
    """Three packets a number without a server, and a capture of another run."""
    text = (folder / "results_no_server_linux_client_loopback.md").read_text(encoding="utf-8")
    capture = (folder / "tcpdump_linux_server_linux_client_loopback.md").read_text(encoding="utf-8")
    captured = seen_by_tcpdump(capture)
    errors = {int(n) for n in re.findall(r"ICMP localhost protocol (\d+) .*unreachable", capture)}
    found = []
    for number, marks, rest in re.findall(r"^\| (-?\d+) \| (\S+) \| (.*) \|$", text, re.MULTILINE):
        error = re.search(r"os error (\d+)", rest)
        judgement = (
            refused(int(number), ERRNO[int(error[1])], "")
            if error
            else linux_number(int(number), len(marks), captured, errors)
        )
        found.append(made(LINUX, "linux-loopback", judgement, None, "2025-02-11T19:49:47Z"))
    return found


def linux_number(number: int, sent: int, captured: set[int], errors: set[int]) -> Judgement:
    """Return what the two records say of a number that was sent."""
    wire = number & 255
    icmp = (IcmpCount(LOCALHOST, 3, 2, 1, authenticated=False),) if wire in errors else ()
    base = Judgement(Train(number), Verdict.INCONCLUSIVE, Place.UNKNOWN, "", final=True, sent=sent, icmp=icmp)
    if number > 255 and wire in captured:
        said = f"{number}, forward: {sent} of {sent} sent; in the capture of another run it left under {wire}."
        return replace(
            base, verdict=Verdict.RENUMBERED, place=Place.SENDER_KERNEL, wire_protocol=wire, left=sent, explanation=said
        )
    where = "seen on lo in the capture of another run" if wire in captured else "in no capture"
    answer = ", where the kernel answered with protocol unreachable" if icmp else ""
    said = f"{number}, forward: {sent} of {sent} sent, {where}{answer}; no server listened, so nobody saw it delivered."
    return replace(
        base, wire_protocol=wire if wire in captured else None, left=sent if wire in captured else 0, explanation=said
    )


def refused(number: int, errno: str, why: str) -> Judgement:
    """Return a refusal by socket()."""
    said = (
        f"{number}, forward: socket() refused the number with {errno}, so nothing was sent{'; ' + why if why else ''}."
    )
    return Judgement(Train(number), Verdict.REFUSED_AT_SOCKET, Place.SENDER_SOCKET, said, final=True, errno=errno)


def made(path: PathInfo, profile: str, judgement: Judgement, us: float | None, time: str) -> dict[str, object]:
    """Return the record, held against what is known of that system."""
    expectation = builtin(profile).expectation(judgement.train)
    outcome, _ = assess(judgement, expectation)
    return to_record(
        Result(
            run=f"article-{profile}",
            time=time,
            path=path,
            ip_version=4,
            keyword=lookup(judgement.train.protocol).keyword,
            judgement=judgement,
            expected=None if expectation is None or outcome is Outcome.SKIPPED else expectation.verdict,
            outcome=outcome,
            latency_us=None if us is None else LatencyUs(us, us, us),
        )
    )


def main(folder: Path) -> None:
    """Write both."""
    for name, system, records in (
        ("article-darwin", "Darwin (macOS)", darwin(folder)),
        ("article-linux", "Linux, in a virtual machine", linux(folder)),
    ):
        records[0]["made"] = {
            "system": system,
            "source": 'recorded for the article "What would happen if we didn\'t use TCP or UDP?", February 2025; '
            "converted by samples/article.py",
        }
        (HERE / name).mkdir(exist_ok=True)
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (HERE / name / "results.jsonl").write_text(lines, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
