"""Profiles: read, refused with file and line, compared with verdicts, recorded so that the same run is as expected."""

from __future__ import annotations

from typing import Any

import pytest
from expecting import OUT, V, judged
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.expectations.assess import assess
from pytest_hdp.judge.expectations.packaged import builtin, builtin_names, for_system
from pytest_hdp.judge.expectations.profile import Expectation, ProfileError
from pytest_hdp.judge.expectations.profile_file import load_profile
from pytest_hdp.judge.result import Judgement
from pytest_hdp.judge.verdict import Direction, Form, Outcome, Place, Verdict

EVERY = {*range(253), 255}


HEAD = '[profile]\nname = "mine"\n'


def expecting(verdict: Verdict, **other: Any) -> Expectation:
    return Expectation((47,), verdict, **other)


@pytest.mark.parametrize(
    ("expectation", "judgement", "outcome", "message"),
    [
        (None, judged(V.DELIVERED), OUT.PASSED, None),
        (None, judged(V.LOST), OUT.FAILED, "what happened."),
        (None, judged(V.SILENT), OUT.SKIPPED, "what happened."),
        (expecting(V.DELIVERED), judged(V.DELIVERED), OUT.PASSED, None),
        (expecting(V.DELIVERED), judged(V.LOST), OUT.FAILED, "expected delivered, got lost"),
        (expecting(V.DELIVERED), judged(V.SILENT), OUT.FAILED, "expected delivered, got silent"),
        (expecting(V.LOST), judged(V.DELIVERED), OUT.FAILED, "expected lost, got delivered"),
        (expecting(V.LOST), judged(V.LOST), OUT.XFAILED, "expected lost"),
        (expecting(V.LOST, reason="a black hole"), judged(V.LOST), OUT.XFAILED, "a black hole"),
        (expecting(V.LOST, reason="\x1b[2J"), judged(V.LOST), OUT.XFAILED, r"\x1b[2J"),
        (expecting(V.SILENT), judged(V.SILENT), OUT.XFAILED, "expected silent"),
        (
            expecting(V.REFUSED_AT_SEND, errno="EPERM"),
            judged(V.REFUSED_AT_SEND, errno="EPERM"),
            OUT.XFAILED,
            "expected refused_at_send EPERM",
        ),
        (
            expecting(V.REFUSED_AT_SEND, errno="EPERM"),
            judged(V.REFUSED_AT_SEND, errno="EINVAL"),
            OUT.FAILED,
            "expected refused_at_send EPERM, got refused_at_send EINVAL",
        ),
        (
            expecting(V.REFUSED_AT_SEND),
            judged(V.REFUSED_AT_SEND, errno="EINVAL"),
            OUT.XFAILED,
            "expected refused_at_send",
        ),
        (
            expecting(V.RENUMBERED, wire_protocol=0),
            judged(V.RENUMBERED, wire_protocol=1),
            OUT.FAILED,
            "expected renumbered to 0, got renumbered to 1",
        ),
        (expecting(V.DELIVERED), judged(V.INCONCLUSIVE), OUT.SKIPPED, "what happened."),
        (expecting(V.LOST), judged(V.INCONCLUSIVE), OUT.SKIPPED, "what happened."),
        (None, judged(V.INCONCLUSIVE), OUT.SKIPPED, "what happened."),
    ],
)
def test_assess(expectation: Expectation | None, judgement: Judgement, outcome: Outcome, message: str | None) -> None:
    assert assess(judgement, expectation) == (outcome, message)


@given(st.sampled_from(Verdict), st.sampled_from(sorted(set(Verdict) - {V.INCONCLUSIVE})))
def test_only_the_expected_is_as_expected(observed: Verdict, expected: Verdict) -> None:
    outcome, message = assess(judged(observed), expecting(expected))
    if observed is V.INCONCLUSIVE:
        assert outcome is OUT.SKIPPED
    elif observed is expected:
        assert outcome is (OUT.PASSED if observed in {V.DELIVERED, V.REACHED} else OUT.XFAILED)
    else:
        assert (outcome, message) == (OUT.FAILED, f"expected {expected}, got {observed}")


def test_a_profile_is_read() -> None:
    text = HEAD + (
        'path = "internet"\nsystem = "Linux"\n\n[[expect]]\nprotocols = "gre, 50-51"\nverdict = "lost"\n'
        'reason = "because"\nsource = "a letter"\n[[expect]]\nprotocols = [256]\nverdict = "renumbered"\n'
        "wire_protocol = 0\n"
        'direction = "reverse"\nform = "wellformed"\n'
    )
    profile = load_profile(text, "mine.toml")
    assert (profile.name, profile.path, profile.system, profile.origin) == ("mine", "internet", "Linux", "mine.toml")
    assert profile.expectation(Train(50)) == Expectation((47, 50, 51), V.LOST, reason="because", source="a letter")
    assert profile.expectation(Train(47, Direction.REVERSE, Form.WELLFORMED)) is not None
    assert profile.expectation(Train(256)) is None
    narrow = profile.expectation(Train(256, Direction.REVERSE, Form.WELLFORMED))
    assert narrow is not None
    assert narrow.wire_protocol == 0


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "1: has no [profile] table with a name"),
        ("profile = 3", "1: has no [profile] table"),
        ("[profile]\n", "1: [profile] needs a name"),
        ("\n[profile]\nname = 3\n", "3: name is a text in quotes"),
        (HEAD + "colour = 1\n", "3: [profile] has no 'colour'"),
        (HEAD + "\n[colours]\nred = 1\n", "4: 'colours' is neither [profile] nor [[expect]]"),
        (HEAD + "\n[expect]\n", "4: write [[expect]], with two brackets"),
        ("expect = [3]\n" + HEAD, "1: [[expect]] is not a table"),
        (HEAD + "[[expect]]\nverdict = 'lost'\n", "3: [[expect]] needs protocols"),
        (HEAD + "[[expect]]\nverdict = 'lost'\nprotocols = true\n", "5: [[expect]] needs protocols"),
        (HEAD + "[[expect]]\nverdict = 'lost'\nprotocols = '300-'\n", "5: the range '300-' has no end"),
        (HEAD + "[[expect]]\nverdict = 'lost'\nprotocols = ''\n", "5: the list of protocols is empty"),
        (HEAD + "[[expect]]\nverdict = 'lost'\nprotocols = 'banana'\n", "5: 'banana' names no protocol"),
        (HEAD + "[[expect]]\nprotocols = '3'\n", "3: [[expect]] needs a verdict"),
        (HEAD + "[[expect]]\nprotocols = '3'\nverdict = 'fine'\n", "5: there is no verdict 'fine': there are refused"),
        (HEAD + "[[expect]]\nprotocols = '3'\nverdict = 3\n", "5: verdict is a text in quotes"),
        (
            HEAD + "[[expect]]\nprotocols = '3'\nverdict = 'inconclusive'\n",
            "5: inconclusive is not something to expect",
        ),
        (HEAD + "[[expect]]\nprotocols = '3'\nverdict = 'lost'\nerno = 'EPERM'\n", "6: [[expect]] has no 'erno'"),
        (HEAD + "[[expect]]\nprotocols = '3'\nverdict = 'lost'\nwire_protocol = 256\n", "6: wire_protocol is a number"),
        (HEAD + "[[expect]]\nprotocols = '3'\nverdict = 'lost'\nform = 'odd'\n", "6: there is no form 'odd'"),
        (
            HEAD + "[[expect]]\nprotocols = '3'\nverdict = 'lost'\n\n[[expect]]\nverdict = 'lost'\nprotocols = '1-9'\n",
            "9: protocol 3 is expected twice",
        ),
        (
            HEAD + "[[expect]]\nprotocols='3'\nverdict='lost'\n[[expect]]\nprotocols='3'\nverdict='lost'\nform='bare'",
            "7: protocol 3 is expected twice",
        ),
        (
            HEAD + "[[expect]]\nprotocols='3'\nverdict='lost'\nkernel='tux'",
            "6: there is no kernel 'tux': there are mptcp, no mptcp",
        ),
        (
            HEAD + 2 * "[[expect]]\nprotocols='3'\nverdict='lost'\nkernel='no mptcp'\n",
            "8: protocol 3 is expected twice",
        ),
        (
            HEAD + "[[expect]]\nprotocols='3'\nverdict='lost'\nkernel='mptcp'\n[[expect]]\nprotocols=3\nverdict='lost'",
            "8: protocol 3 is expected twice",
        ),
        (
            HEAD + 2 * "[[expect]]\nprotocols='3'\nverdict='lost'\ntargets=['a']\n",
            "8: protocol 3 is expected twice",
        ),
        (
            HEAD + "[[expect]]\nprotocols='3'\nverdict='lost'\nvantages='a'",
            "6: vantages is a list of names, as in vantages = [",
        ),
        ("a = 1\nb = [\n", "2: "),
        ("a = 1\nb = ? \n", "2: Invalid value"),
        ("a = 1\na = 2\n", "2: Cannot overwrite a value"),
        ("a = " + "[" * 9999, "1: "),
    ],
)
def test_a_bad_profile_is_refused_with_file_and_line(text: str, error: str) -> None:
    with pytest.raises(ProfileError) as caught:
        load_profile(text, "my.toml")
    message = str(caught.value)
    assert message.startswith(f"my.toml:{error}")
    assert message.isprintable()
    assert isinstance(caught.value, ValueError)


@settings(max_examples=4 * settings.default.max_examples)
@given(st.text(alphabet='[]{}="\n #.,-0a\x1bprofilexctvds', max_size=60))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    for content in (text, HEAD + "[[expect]]\n" + text):
        try:
            load_profile(content, "my\n.toml")
        except ProfileError as error:
            assert str(error).isprintable()  # noqa: PT017 - either way is right


def test_the_packaged_profiles() -> None:
    assert {"darwin-loopback", "linux-loopback", *PROVIDERS} == set(builtin_names())
    for name in builtin_names():
        profile = builtin(name)
        assert profile.name == name
        assert all(e.reason and e.source for e in profile.expectations)
    with pytest.raises(
        ProfileError, match=r"no profile is named 'beos': there are aws-nat-gateway, .*linux-loopback, vultr"
    ):
        builtin("beos")


PROVIDERS = {
    "aws-nat-gateway": ({1, 6, 17}, EVERY - {1, 6, 17}),
    "aws-security-group": (EVERY, set()),
    "azure-virtual-network": ({1, 6, 17, 50, 51}, {4, 47}),
    "digitalocean": ({1, 6, 17}, EVERY - {1, 6, 17}),
    "google-external-address": ({1, 6, 17, 47, 50, 51, 132}, EVERY - {1, 4, 6, 17, 47, 50, 51, 132}),
    "hetzner": ({1, 6, 17, 47, 50}, EVERY - {1, 6, 17, 47, 50}),
    "vultr": ({1, 6, 17, 47, 50, 51}, EVERY - {1, 6, 17, 47, 50, 51}),
}
"""What each is said to let pass, and to drop; 253 and 254 are in none."""


@pytest.mark.parametrize("name", PROVIDERS)
def test_what_providers_state(name: str) -> None:
    profile = builtin(name)
    passing, dropped = PROVIDERS[name]
    found = {n: profile.expectation(Train(n, form=Form.WELLFORMED)) for n in range(256)}
    stated = {n: e for n, e in found.items() if e is not None and e.stated}
    assert {n for n, e in stated.items() if e.verdict is Verdict.DELIVERED} == passing
    assert {n for n, e in stated.items() if e.verdict is Verdict.LOST} == dropped
    for expectation in stated.values():
        other = Verdict.REACHED if expectation.verdict is Verdict.DELIVERED else Verdict.REJECTED
        assert expectation.also == {other, Verdict.SILENT}


def allowing(verdict: str, *also: str) -> Expectation:
    text = HEAD + f"[[expect]]\nprotocols = '47'\nverdict = '{verdict}'\nalso = {list(also)}\nreason = 'so'\n"
    return load_profile(text, "mine.toml").expectations[0]


@pytest.mark.parametrize(
    ("expectation", "seen", "outcome", "told"),
    [
        (allowing("lost", "rejected", "silent"), Verdict.LOST, Outcome.XFAILED, "so"),
        (allowing("lost", "rejected", "silent"), Verdict.REJECTED, Outcome.XFAILED, "so"),
        (allowing("lost", "silent"), Verdict.SILENT, Outcome.XFAILED, "so (silence fits that, and does not prove it)"),
        (
            allowing("lost", "rejected"),
            Verdict.DELIVERED,
            Outcome.FAILED,
            "expected lost or rejected, got delivered",
        ),
        (allowing("lost", "rejected"), Verdict.SILENT, Outcome.FAILED, "expected lost or rejected, got silent"),
        (allowing("lost", "rejected", "silent"), Verdict.INCONCLUSIVE, Outcome.SKIPPED, "why"),
        (allowing("delivered", "reached", "silent"), Verdict.REACHED, Outcome.PASSED, None),
        (allowing("delivered", "reached", "silent"), Verdict.SILENT, Outcome.SKIPPED, "why"),
        (
            allowing("delivered", "reached"),
            Verdict.LOST,
            Outcome.FAILED,
            "expected delivered or reached, got lost",
        ),
    ],
)
def test_what_would_be_right_too(expectation: Expectation, seen: Verdict, outcome: Outcome, told: str | None) -> None:
    judgement = Judgement(Train(47), seen, Place.PATH, "why", final=True)
    assert assess(judgement, expectation) == (outcome, told)


def test_what_a_profile_says_nothing_of_is_skipped_only_where_it_says_so() -> None:
    text = HEAD + "[[expect]]\nprotocols = '47'\nverdict = 'lost'\n"
    lost = Judgement(Train(253), Verdict.LOST, Place.PATH, "none arrived", final=True)
    assert load_profile(text, "x").expectation(Train(253)) is None
    skipping = load_profile(text.replace("[[", "unstated = 'skip'\n[["), "x")
    name = skipping.name
    assert assess(lost, skipping.expectation(Train(253))) == (
        Outcome.SKIPPED,
        f"{name} states nothing of it: none arrived",
    )
    delivered = Judgement(Train(253), Verdict.DELIVERED, Place.PATH, "why", final=True)
    assert assess(delivered, skipping.expectation(Train(253))) == (Outcome.PASSED, None)
    with pytest.raises(ProfileError, match='unstated is "judge"'):
        load_profile(text.replace("[[", "unstated = 'fail'\n[["), "x")


@pytest.mark.parametrize(
    ("also", "said"),
    [
        ("['eaten']", "list of verdicts"),
        ("'lost'", "list of verdicts"),
        ("[3]", "texts in quotes"),
        ("['inconclusive']", "not something to expect"),
        ("['delivered']", "contradict each other"),
    ],
)
def test_what_can_not_be_right_too(also: str, said: str) -> None:
    with pytest.raises(ProfileError, match=said) as caught:
        load_profile(HEAD + f"[[expect]]\nprotocols = '47'\nverdict = 'lost'\nalso = {also}\n", "mine.toml")
    line = (HEAD + "[[expect]]\nprotocols\nverdict\nalso").count("\n") + 1
    assert str(caught.value).startswith(f"mine.toml:{line}: ")


def test_profiles_by_system() -> None:
    assert for_system("Linux", "loopback") is builtin("linux-loopback")
    assert for_system("Darwin", "loopback") is builtin("darwin-loopback")
    assert for_system("Linux", "internet") is None
    assert for_system("Plan9", "loopback") is None


def expected(name: str, protocol: int, features: frozenset[str] | None = frozenset({"mptcp"}), version: int = 4) -> str:
    expectation = builtin(name).on_kernel(features).for_version(version).expectation(Train(protocol))
    return "" if expectation is None else str(expectation)


def test_linux_loopback() -> None:
    found = {n: expected("linux-loopback", n) for n in range(-2, 265)}
    assert {n for n in found if found[n] == "delivered"} == set(range(1, 256))
    assert {n for n in found if found[n] == "renumbered"} == set(range(256, 263))
    assert (found[-1], found[0], found[263]) == (
        "refused_at_socket EINVAL",
        "refused_at_socket EPROTONOSUPPORT",
        "refused_at_socket EINVAL",
    )
    assert (found[-2], found[264]) == ("", "")


def test_linux_loopback_by_ipv6() -> None:
    """As by IPv4, but for what 8 bits do not hold: sendto() refuses it."""
    four = {n: expected("linux-loopback", n) for n in range(-2, 265)}
    six = {n: expected("linux-loopback", n, version=6) for n in range(-2, 265)}
    assert {n for n in four if four[n] != six[n]} == set(range(256, 263))
    assert {six[n] for n in range(256, 263)} == {"refused_at_send EINVAL"}


@pytest.mark.parametrize("name", sorted(set(builtin_names()) - {"linux-loopback"}))
def test_of_ipv6_no_other_profile_says_anything(name: str) -> None:
    """Nobody has stated or measured it."""
    assert builtin(name).for_version(6).expectations == ()
    assert builtin(name).for_version(4) == builtin(name)


def test_what_is_expected_may_hang_on_the_kernel() -> None:
    """Before Linux 5.6 the numbers from 256 are refused; of a kernel that nobody asked nothing is said."""
    numbers = range(256, 263)
    assert {expected("linux-loopback", n, frozenset()) for n in numbers} == {"refused_at_socket EINVAL"}
    assert {expected("linux-loopback", n, None) for n in numbers} == {""}
    for features in (frozenset(), None):
        assert {expected("linux-loopback", n, features) for n in range(1, 256)} == {"delivered"}


def test_darwin_loopback() -> None:
    """By the article's two records, less their errors of measurement."""
    found = {n: expected("darwin-loopback", n) for n in range(-1, 264)}
    assert {n for n in found if found[n] == "held_by_receiver"} == {1, 2, 6, 17}
    assert {n for n in found if found[n] == "refused_at_socket EOPNOTSUPP"} == {50, 51}
    assert {n for n in found if found[n] == "refused_at_socket EINVAL"} == set(range(256, 264))
    assert {n for n in found if found[n] == "delivered"} == set(range(256)) - {1, 2, 6, 17, 50, 51}
    assert found[-1] == ""
