"""The page as people use it: read, clicked, filtered, walked with the keyboard, printed; on a desk and on a phone."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.record import from_record, to_record
from pytest_hdp.judge.result import Judgement, Made, PathInfo, Result, TwinCount
from pytest_hdp.judge.verdict import Containment, Place, Verdict
from pytest_hdp.report.page.latency import Histogram

SAMPLES = Path(__file__).parents[2] / "samples"


def recorded(name):
    return list(map(json.loads, (SAMPLES / name / "results.jsonl").read_text(encoding="utf-8").splitlines()))


@pytest.fixture(scope="module")
def first_only():
    return recorded("first-only")


def count(browser, selector):
    return browser.run(f"document.querySelectorAll({selector!r}).length")


def test_the_first_screen_says_what_happened_and_where(shown, first_only):
    browser = shown(first_only)
    seen = browser.run(
        "[...document.querySelectorAll('h1, .intro, .where li, h2, .course h3, .route')]"
        ".filter(e => e.getBoundingClientRect().bottom < innerHeight).map(e => e.textContent).join('\\n')"
    )
    assert "6 of 255 protocol numbers got through; 249 stopped after the first packet." in seen
    assert "between 203.0.113.6 (hop 2) and 198.51.100.2 (target)" in seen
    assert "Every IP packet names what it carries" in seen
    assert "through first-only, a network emulated on one machine" in seen
    assert "203.0.113.6hop 2" in seen  # the path is drawn, with its hops
    assert "249o" in seen


def test_numbers_that_are_headers_to_ipv6_are_framed_there_and_nowhere_else(shown, first_only):
    over4 = [each for each in first_only if each["direction"] == "forward"]
    over6 = [copy.deepcopy(each) | {"ip_version": 6} for each in over4]
    whole = [copy.deepcopy(each) | {"form": "wellformed"} for each in over6]
    browser = shown([*over4, *over6, *whole])
    framed = browser.run("[...document.querySelectorAll('#c1 .framed')].map(e => e.getAttribute('href'))")
    headers = (0, 43, 44, 50, 51, 60, 135, 139, 140, 253, 254)
    assert framed == [f"#t1-{number}" for number in headers if any(each["protocol"] == number for each in over6)]
    assert browser.run("getComputedStyle(document.querySelector('.framed')).outlineStyle") == "dotted"
    assert browser.run("getComputedStyle(document.querySelector('#c0 .cell')).outlineStyle") == "none"
    assert count(browser, "#c0 .framed-note") == 0
    said = "Framed numbers are extension headers to IPv6"
    assert browser.text("#c1 .framed-note") == f"{said}: who walks the chain reads HDP's bytes as one."
    assert browser.text("#c2 .framed-note") == f"{said}."


def test_a_cell_shows_its_evidence(shown, first_only):
    browser = shown(first_only)
    assert browser.run("document.querySelector('#evidence').hidden")
    browser.click("#c0 a[href='#t0-47']")
    assert "47 GRE" in browser.text("#evidence h2")
    assert "the first came through and none of the" in browser.text("#evidence .sentence")
    sent = count(browser, "#evidence .line tbody tr")
    assert sent == next(r for r in first_only if r["protocol"] == 47)["sent"] > 4
    seen = browser.run(
        "[...document.querySelectorAll('#evidence .line tbody tr')].map(r => r.querySelectorAll('.seen').length)"
    )
    assert seen == [4] + [2] * (sent - 1)  # sent, left, arrived, delivered; of the others sent and left
    browser.key("Escape")
    assert browser.run("document.querySelector('#evidence').hidden")
    assert browser.run("document.activeElement.getAttribute('href')") == "#t0-47"


def hops_shown(browser):
    heads = browser.run("[...document.querySelectorAll('#evidence .hops th')].map(e => e.innerText)")
    rows = "[...document.querySelectorAll('#evidence .hops tbody tr')].map(r => [...r.cells].map(c => c.innerText))"
    return heads, browser.run(rows)


def test_the_drawer_shows_which_hop_answered_whom(shown, browser):
    shown(recorded("allowlist"), "#t0-47")
    heads, rows = hops_shown(browser)
    assert heads == ["", "47 GRE", "the control"]
    assert rows == [
        ["hop 1", "answered by 192.0.2.1", "answered by 192.0.2.1"],
        ["hop 2", "answered by 203.0.113.6", "answered by 203.0.113.6"],
        ["hop 3", "nothing came back of 1 sent; no hop had to answer", "came through"],
    ]
    shown(recorded("allowlist"), "#t0-132")
    assert hops_shown(browser) == (["", "47 GRE, sent in its place", "the control"], rows)


def test_of_a_train_that_nobody_looked_for_the_hops_are_the_controls(shown, browser, first_only):
    shown(first_only, "#t0-6")
    assert browser.text("#evidence .hops h3") == "The control's hops on this path"
    heads, rows = hops_shown(browser)
    assert heads == ["", "the control"]
    assert rows == [["hop 1", "answered by 192.0.2.1"], ["hop 2", "answered by 203.0.113.6"]]
    assert "No packet of this number was sent with so short a TTL" in browser.text("#evidence .hops p")
    older = [{name: value for name, value in each.items() if name != "climb"} for each in first_only]
    shown(older, "#t0-2")
    assert hops_shown(browser) == (heads, rows)


def test_evidence_has_an_address_of_its_own(shown, first_only):
    browser = shown(first_only, "#t1-132")
    assert "132 SCTP" in browser.text("#evidence h2")
    assert "reverse" in browser.text("#evidence .top")


def test_filter_by_verdict_and_by_words(shown, first_only):
    browser = shown(first_only)
    assert count(browser, ".cell.dim") == 0
    browser.click(".chip[data-verdict=delivered]")
    assert count(browser, ".cell:not(.dim)") == 12
    assert browser.text("#shown") == "12 of 510"
    browser.click(".chip[data-verdict=delivered]")
    browser.run("document.querySelector('#find').focus()")
    browser.call("Input.insertText", text="gre, 250-252")
    assert browser.run("[...document.querySelectorAll('#c0 .cell:not(.dim)')].map(e => e.hash)") == [
        "#t0-47", "#t0-250", "#t0-251", "#t0-252",
    ]  # fmt: skip


def test_the_keyboard_reaches_everything(shown, first_only):
    browser = shown(first_only)
    assert count(browser, "#c0 .cell[tabindex='0']") == 1  # one stop for the whole grid
    browser.run("document.querySelector('#c0 .cell[tabindex=\"0\"]').focus()")
    for key, number in (
        ("ArrowRight", 2),
        ("ArrowDown", 18),
        ("ArrowLeft", 17),
        ("ArrowUp", 1),
        ("End", 255),
        ("Home", 1),
    ):
        browser.key(key)
        assert browser.run("document.activeElement.hash") == f"#t0-{number}"
    outline = browser.run("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    browser.key("Enter")
    assert "1 ICMP" in browser.text("#evidence h2")
    assert browser.run("document.activeElement.id") == "evidence"
    label = browser.run("document.querySelector(\"#c0 a[href='#t0-47']\").getAttribute('aria-label')")
    assert label == "47 GRE: first only (expected)"
    assert count(browser, "table[role=grid] td[role=gridcell] > a") == 510


def test_hover_names_the_cell(shown, first_only):
    browser = shown(first_only)
    browser.run("document.querySelector('#c0 .grid').scrollIntoView()")
    browser.hover("#c0 a[href='#t0-2']")
    assert browser.text("#tip") == "2 IGMP: first only (expected)"


def test_on_a_phone_nothing_sticks_out(shown, first_only):
    browser = shown(first_only)
    browser.look(width=390, height=844, mobile=True)
    assert browser.run("document.documentElement.scrollWidth") == 390
    browser.click("#c0 a[href='#t0-47']")
    assert browser.run("document.documentElement.scrollWidth") == 390
    assert "47 GRE" in browser.text("#evidence h2")


def test_dark_is_dark(shown, first_only):
    browser = shown(first_only)

    def brightness():
        return browser.run(
            "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number).reduce((a, b) => a + b)"
        )

    light = brightness()
    browser.look(dark=True)
    assert light > 700
    assert brightness() < 100


def test_it_prints_without_the_drawer(shown, first_only, tmp_path):
    browser = shown(first_only, "#t0-47")
    browser.printed(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF-")
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.run("getComputedStyle(document.querySelector('#evidence')).display") == "none"


def test_letters_are_those_of_the_terminal(shown):
    from pytest_hdp.report.letters import letter

    records = recorded("loopback")
    browser = shown(records)
    cells = browser.run(
        "Object.fromEntries([...document.querySelectorAll('.cell')]"
        ".map(e => [e.hash.slice(4), e.textContent.split(' ').pop()]))"
    )
    assert cells == {str(each["protocol"]): letter(each["verdict"], each["outcome"]) for each in records}


MANY = ("reject", "rate-limited", "host-firewall", "sender-firewall", "mangle-byte", "home-nat", "agentless")
FACTS = "[...document.querySelectorAll('#evidence .facts div')].map(d => [...d.children].map(e => e.innerText))"


def test_what_is_drawn_is_what_was_recorded(shown):
    """Every cell and every drawer, for runs with most verdicts: the letter, the verdict in words, the counts."""
    from pytest_hdp.report.fields import observed, protocol
    from pytest_hdp.report.groups import by_course
    from pytest_hdp.report.letters import letter, words

    few = {1, 6, 17, 47, 50, 132, 253}
    records = [each for name in MANY for each in recorded(name) if each["protocol"] in few]
    courses = by_course(map(from_record, records))
    assert len({each.verdict for course in courses for each in course}) >= 9
    browser = shown(records)
    cells = {
        f"#t{place}-{protocol(each)}": letter(each.verdict, each.outcome)
        for place, course in enumerate(courses)
        for each in course
    }
    drawn = "Object.fromEntries([...document.querySelectorAll('.cell')].map(e => [e.hash, e.textContent]))"
    assert browser.run(drawn) == cells
    for place, course in enumerate(courses):
        for each in course:
            browser.run(f"location.hash = '#t{place}-{protocol(each)}'; new Promise(done => setTimeout(done))")
            facts = dict(browser.run(FACTS))
            assert browser.text("#evidence .verdict").split(" (")[0] == words(each.verdict)
            assert each.judgement.explanation.endswith(browser.text("#evidence .sentence"))
            seen = dict(zip(("sent", "left", "arrived", "delivered"), observed(each), strict=True))
            assert {observer: facts[observer] for observer in seen} == {
                observer: "not observed" if count is None else str(count) for observer, count in seen.items()
            }
            assert facts["where"] == each.judgement.place


def test_surprises_come_first(shown, first_only):
    records = [
        {**each, "outcome": "failed", "expected": "delivered"} if each["protocol"] == 47 else each
        for each in first_only
    ]
    browser = shown(records)
    assert browser.text(".status") == "2 of 510 not as expected: 47 (GRE)"
    assert browser.run("document.querySelector('main > section:not([hidden])').id") == "surprises"
    assert "expected delivered, got first only" in browser.text("#surprises")
    assert count(browser, ".cell.failed") == 2
    assert browser.text(".cell.failed") == "O"


def many(first_only):
    """256 numbers, both directions, three paths."""
    records = []
    for name in ("one", "two", "three"):
        for direction in ("forward", "reverse"):
            model = next(each for each in first_only if each["protocol"] == 47 and each["direction"] == direction)
            for number in range(256):
                record = copy.deepcopy(model)
                record["path"]["name"] = name
                record["protocol"] = number
                if name == "two" and number == 47:
                    record |= {"verdict": "delivered", "outcome": "passed"}
                records.append(record)
    return records


def test_many_paths_are_a_matrix(shown, first_only):
    browser = shown(many(first_only))
    assert count(browser, ".cell") == 1536
    assert count(browser, "#matrix table:first-of-type tbody tr") >= 6
    differing = browser.run("[...document.querySelectorAll('#matrix details tbody tr')].map(r => r.cells[0].innerText)")
    assert differing == ["47 (GRE)"]


@pytest.mark.night(but=["500"])
@pytest.mark.parametrize("width", [390, 500, 1280])
def test_the_strips_of_many_paths_have_room_on_every_screen(shown, browser, first_only, width):
    browser.look(width=width, height=800, mobile=width < 600)
    shown(many(first_only))
    widths = browser.run("[...document.querySelectorAll('#matrix .strip')].map((e) => e.getBoundingClientRect().width)")
    assert min(widths) >= 200
    within = (
        "[...document.querySelectorAll('#matrix .strip')].every((e) => e.getBoundingClientRect().right <= innerWidth)"
    )
    assert browser.run(within)
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    browser.look()


def test_what_one_can_do_stands_below_the_headline(shown):
    records = [{**each, "outcome": "failed"} if each["verdict"] == "lost" else each for each in recorded("allowlist")]
    shown_page = shown(records)
    assert "Ask who runs the network between 203.0.113.6 (hop 2) and " in shown_page.text(".advice")


def test_many_paths_open_in_under_a_second(shown, browser, first_only):
    """By the processor time of the page's thread: what else the machine is busy with is not the page's doing."""
    browser.call("Performance.enable", timeDomain="threadTicks")
    shown(many(first_only))
    metrics = {each["name"]: each["value"] for each in browser.call("Performance.getMetrics")["metrics"]}
    assert 0.01 < metrics["TaskDuration"] < 1


def test_two_clocks_are_never_subtracted(shown, first_only):
    record = copy.deepcopy(next(each for each in first_only if each["protocol"] == 6))
    record["path"] |= {"kind": "internet", "agent": "ssh=root@198.51.100.2"}
    for probe in record["probes"]:
        probe["arrived"] = probe["delivered"] = probe["delivered"] - 5_000_000_000  # the far clock is slow
    browser = shown([record], "#t0-6")
    assert "the two clocks can't be compared" in browser.text("#evidence .line + p")
    assert "\N{MINUS SIGN}" not in browser.text("#evidence .line")
    assert browser.text("#evidence .line tbody td:nth-child(5)") == "+0 ns"


def test_nobody_there_is_not_nothing_seen(shown, first_only):
    record = copy.deepcopy(next(each for each in first_only if each["protocol"] == 47))
    record["path"] |= {"kind": "internet", "agent": None}
    browser = shown([record], "#t0-47")
    assert "Nobody watches at the far end" in browser.text("#evidence")
    assert "arrived" not in browser.text("#evidence .line thead")


def test_latency_is_drawn_where_there_is_any(shown, first_only):
    histograms = [
        Histogram("HDP, forward, user level", ((1.0, 2.0, 10), (2.0, 3.0, 40)), "HDP is slower [0.19, 0.21] <b>"),
        Histogram("UDP, forward, user level", ((1.0, 2.0, 50),), ""),
    ]
    browser = shown(first_only[:3], histograms=histograms)
    assert count(browser, "#latency svg") == 1, "what is compared stands on one axis"
    assert count(browser, "#latency rect.series0") == 2
    assert count(browser, "#latency rect.series1") == 1
    assert "[0.19, 0.21]" in browser.text("#latency")
    assert "<b>" in browser.text("#latency")


def test_bins_of_a_latency_that_grow_by_a_factor_are_drawn_equally_wide(shown, first_only):
    """On a linear axis one packet that came late would press all others into the first pixel."""
    bins = ((1.0, 10.0, 40), (10.0, 100.0, 9), (100.0, 1000.0, 1))
    browser = shown(first_only[:3], histograms=[Histogram("HDP", bins, "")])
    widths = browser.run("[...document.querySelectorAll('#latency rect')].map((each) => each.getBBox().width)")
    assert len(widths) == 3
    assert max(widths) - min(widths) < 1


def test_where_nothing_arrived_there_is_no_empty_histogram(shown, first_only):
    late = Histogram("UDP, forward, user level", ((1.0, 2.0, 50),), "")
    nothing = [Histogram("HDP, forward, kernel level", (), "too few pairs"), Histogram("HDP, user level", (), "")]
    browser = shown(first_only[:3], histograms=[*nothing, late])
    assert count(browser, "#latency svg") == 1
    assert "too few pairs" in browser.text("#latency")
    assert "HDP, user level" not in browser.text("#latency")


def test_how_it_was_made(shown, first_only):
    made = {"command": "pytest --x='<i>'", "system": "Linux 6.18", "seed": "7", "version": "pytest-hdp 1"}
    browser = shown(first_only[:3], made=[Made(**made)])
    assert all(value in browser.text("#made") for value in made.values())


def test_every_train_in_words(shown, first_only):
    browser = shown(first_only)
    assert count(browser, "#all tbody tr") == 0
    browser.click("#all summary")
    browser.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert count(browser, "#all tbody tr") == 510


def boxed(number, word):
    """A number that was asked of a box, as `suites/containment` records it."""
    found = Containment(word)
    judgement = Judgement(
        Train(number), Verdict.INCONCLUSIVE, Place.UNKNOWN, f"{number}: {word}",
        final=True, sent=32, containment=found, containment_eye="eye", twin=TwinCount(32, 32, 32, 0),
    )  # fmt: skip
    path = PathInfo("netns", "containment", "192.0.2.18", "198.51.100.2", "eye")
    return to_record(Result("run", "2026-01-01T00:00:00", path, 4, "", judgement, None, found.outcome))


@pytest.mark.parametrize(
    ("words", "counts", "heading"),
    [
        (("contained", "contained", "allowed"), "3 numbers: 1 left and may, 2 stayed in the box", None),
        (
            ("contained", "leaked", "unproven"),
            "3 numbers: 1 got out, 1 stayed in the box, 1 unproven",
            "Not contained, or not proven",
        ),
    ],
)
def test_of_a_box_it_says_what_got_out(shown, words, counts, heading):
    """Who is in a box did not "get through" it, and what stayed in is no failure."""
    browser = shown([boxed(number, word) for number, word in enumerate(words, 1)])
    assert counts in browser.run("document.body.textContent")
    assert "got through" not in browser.run("document.body.innerText")
    assert "control" not in browser.text("#c0 header"), "its own is lost in a tight box, and its twin's is what counts"
    assert browser.run("document.querySelector('#surprises').hidden") == (heading is None)
    if heading is not None:
        assert browser.text("#surprises h2") == heading
