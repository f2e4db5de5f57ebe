"""A profile's file, read from TOML; what is wrong with it is told with the line on which it stands.

A table `[profile]` with `name`, `path`, `system` and `unstated` ("skip": a train that it says nothing of is a skip,
whatever became of it, unless it passes; "judge", the default: it is judged by itself), then any number of `[[expect]]`
with `protocols` (a text as `--hdp-protocols` takes it, or a list of numbers), `verdict`, and if wanted `errno`,
`reason`, `source`, `wire_protocol`, `also` (a list of verdicts that would be right too), and `direction` or `form`
where the expectation holds for one of them only, `targets` and `vantages`, lists of the names of those for which alone
it holds, `ip_version` (4 or 6), `kernel`, a feature of the sender's kernel ("mptcp", or "no mptcp") that it takes, or
`containment`, what is known of it where a box is asked whether it lets it out ("leaked").
"""

from __future__ import annotations

from typing import TypeVar

from pytest_hdp.judge.expectations.profile import KERNEL_FEATURES, PASSES, WITHOUT, Expectation, Profile, ProfileError
from pytest_hdp.judge.verdict import Containment, Direction, Form, Verdict
from pytest_hdp.packet.numbers import parse_protocols
from pytest_hdp.untrusted.text import plain
from pytest_hdp.untrusted.toml import Document, TomlError

_KEYS = {
    "protocols",
    "verdict",
    "also",
    "errno",
    "reason",
    "source",
    "wire_protocol",
    "direction",
    "form",
    "kernel",
    "containment",
    "targets",
    "vantages",
    "ip_version",
}

_Word = TypeVar("_Word", Verdict, Direction, Form, Containment)


def load_profile(text: str, origin: str) -> Profile:
    """Read a profile from TOML; `origin` names it in messages. ProfileError says what is wrong where, in one line."""
    try:
        return _ProfileFile(text, plain(origin), "expect").profile()
    except TomlError as error:
        raise ProfileError(str(error)) from None


class _ProfileFile(Document):
    """Turns a document into a profile."""

    def profile(self) -> Profile:
        document = self.values
        surplus = sorted(set(document) - {"profile", "expect"})
        if surplus:
            self.fail(self.line(surplus[0]), f"{plain(surplus[0])!r} is neither [profile] nor [[expect]]")
        head = document.get("profile")
        if not isinstance(head, dict):
            self.fail(1, "has no [profile] table with a name")
        at = self.line("profile")
        for key in sorted(set(head) - {"name", "path", "system", "unstated"}):
            self.fail(self.line(key), f"[profile] has no {plain(key)!r}: it takes name, path, system and unstated")
        name = self.text(head, "name", at)
        if not name:
            self.fail(at, "[profile] needs a name")
        tables = document.get("expect", [])
        if not isinstance(tables, list):
            self.fail(self.line("expect"), "write [[expect]], with two brackets")
        expectations = tuple(self.expectation(table, i) for i, table in enumerate(tables))
        self.check_overlap(expectations)
        unstated = self.text(head, "unstated", at)
        if unstated not in {None, "skip", "judge"}:
            self.fail(self.line("unstated"), 'unstated is "judge" (each verdict by itself, the default) or "skip"')
        path, system = self.text(head, "path", at), self.text(head, "system", at)
        return Profile(name, path, system, expectations, self.origin, unstated == "skip")

    def expectation(self, table: object, index: int) -> Expectation:
        start = self.start(index)
        if not isinstance(table, dict):
            self.fail(start, "[[expect]] is not a table")
        for key in sorted(set(table) - _KEYS):
            self.fail(
                self.line(key, start),
                f"[[expect]] has no {plain(key)!r}: it takes {', '.join(sorted(_KEYS))}",
            )
        verdict = self.word(table, "verdict", start, Verdict)
        if verdict is None:
            self.fail(start, "[[expect]] needs a verdict")
        if verdict is Verdict.INCONCLUSIVE:
            self.fail(
                self.line("verdict", start),
                "inconclusive is not something to expect: leave these numbers out",
            )
        return Expectation(
            protocols=self.protocols(table, start),
            verdict=verdict,
            errno=self.text(table, "errno", start),
            reason=self.text(table, "reason", start),
            source=self.text(table, "source", start),
            wire_protocol=self.wire_protocol(table, start),
            direction=self.word(table, "direction", start, Direction),
            form=self.word(table, "form", start, Form),
            also=self.also(table, start, verdict),
            kernel=self.kernel(table, start),
            targets=self.names(table, "targets", start),
            vantages=self.names(table, "vantages", start),
            ip_version=self.ip_version(table, start),
            containment=self.containment(table, start),
        )

    def names(self, table: dict[str, object], key: str, start: int) -> frozenset[str] | None:
        given = table.get(key)
        if given is None:
            return None
        if not isinstance(given, list) or not given or not all(isinstance(name, str) for name in given):
            self.fail(self.line(key, start), f'{key} is a list of names, as in {key} = ["tokyo", "paris"]')
        return frozenset(given)

    def containment(self, table: dict[str, object], start: int) -> Containment | None:
        found = self.word(table, "containment", start, Containment)
        if found is Containment.UNPROVEN:
            self.fail(self.line("containment", start), "unproven is not something to expect: leave these numbers out")
        return found

    def kernel(self, table: dict[str, object], start: int) -> str | None:
        given = self.text(table, "kernel", start)
        words = [word for feature in KERNEL_FEATURES for word in (feature, WITHOUT + feature)]
        if given is not None and given not in words:
            self.fail(self.line("kernel", start), f"there is no kernel {plain(given)!r}: there are {', '.join(words)}")
        return given

    def also(self, table: dict[str, object], start: int, verdict: Verdict) -> frozenset[Verdict]:
        given, at = table.get("also", []), self.line("also", start)
        if not isinstance(given, list) or not all(word in set(Verdict) for word in given if isinstance(word, str)):
            self.fail(at, f'also is a list of verdicts, as in also = ["rejected"]: there are {", ".join(Verdict)}')
        if not all(isinstance(word, str) for word in given):
            self.fail(at, "also is a list of texts in quotes")
        also = frozenset(map(Verdict, given))
        if Verdict.INCONCLUSIVE in also:
            self.fail(at, "inconclusive is not something to expect: it is a skip whatever is expected")
        if len({each in PASSES for each in (verdict, *also) if each is not Verdict.SILENT}) > 1:
            self.fail(at, "verdict and also contradict each other: one says that it passes, another that it does not")
        return also

    def protocols(self, table: dict[str, object], start: int) -> tuple[int, ...]:
        given, at = table.get("protocols"), self.line("protocols", start)
        pieces = given if isinstance(given, list) else [given]
        words = [str(p) for p in pieces if isinstance(p, (int, str)) and not isinstance(p, bool)]
        if given is None or len(words) != len(pieces):
            self.fail(at, '[[expect]] needs protocols, as in protocols = "47,50-51"')
        try:
            return parse_protocols(",".join(words))
        except ValueError as error:
            self.fail(at, str(error))

    def wire_protocol(self, table: dict[str, object], start: int) -> int | None:
        value = table.get("wire_protocol")
        if value is not None and (type(value) is not int or not 0 <= value <= 255):
            self.fail(self.line("wire_protocol", start), "wire_protocol is a number from 0 to 255")
        return value if isinstance(value, int) else None

    def ip_version(self, table: dict[str, object], start: int) -> int | None:
        value = table.get("ip_version")
        if value is not None and (type(value) is not int or value not in {4, 6}):
            self.fail(self.line("ip_version", start), "ip_version is 4 or 6, and left out where it holds for both")
        return value if isinstance(value, int) else None

    def word(self, table: dict[str, object], key: str, start: int, words: type[_Word]) -> _Word | None:
        value = self.text(table, key, start)
        if value is None:
            return None
        try:
            return words(value)
        except ValueError:
            self.fail(self.line(key, start), f"there is no {key} {plain(value)!r}: there are {', '.join(words)}")

    def check_overlap(self, expectations: tuple[Expectation, ...]) -> None:
        """One train, one expectation: a later one that silently lost would be worse than an error."""
        seen: dict[tuple[int, Direction, Form], list[Expectation]] = {}
        for index, expectation in enumerate(expectations):
            for protocol in expectation.protocols:
                for direction in [expectation.direction] if expectation.direction else list(Direction):
                    for form in [expectation.form] if expectation.form else list(Form):
                        others = seen.setdefault((protocol, direction, form), [])
                        if any(_meet(other, expectation) for other in others):
                            self.fail(
                                self.line("protocols", self.start(index)), f"protocol {protocol} is expected twice"
                            )
                        others.append(expectation)


def _meet(one: Expectation, other: Expectation) -> bool:
    """Whether there may be a target, a vantage point, an IP version and a kernel for which both hold."""
    apart = one.kernel is not None and one.kernel == _opposite(other.kernel)
    apart |= None not in {one.ip_version, other.ip_version} and one.ip_version != other.ip_version
    return not apart and all(
        mine is None or theirs is None or bool(mine & theirs)
        for mine, theirs in ((one.targets, other.targets), (one.vantages, other.vantages))
    )


def _opposite(kernel: str | None) -> str | None:
    if kernel is None:
        return None
    return kernel.removeprefix(WITHOUT) if kernel.startswith(WITHOUT) else WITHOUT + kernel
