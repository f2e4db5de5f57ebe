from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_hdp.judge.result import Result
from pytest_hdp.report.markdown import HEADS, NO, YES, code_block, escaped, headline, markdown

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=100)
MARKUP = st.text(st.sampled_from("\\`*_{}[]()<>&|~$@#:/w.!\n\x1b\0 a1"), max_size=60)


def rows(text: str) -> list[list[str]]:
    """Return the cells of the last table's rows."""
    table = text.rstrip().split("\n\n")[-1].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]


def cell(record: dict[str, Any], column: str) -> str:
    return rows(markdown([record]))[0][[title for title, _ in HEADS].index(column)]


def test_the_articles_columns_are_all_there():
    titles = [title for title, _ in HEADS]
    assert [title for title in titles if title not in {"Keyword", "Verdict", "Place"}] == [
        "Protocol Number",
        "Source IP (Server)",
        "Byte Sum (Server)",
        "Received (Server)",
        "Succeeded (Client)",
        "Byte sum (Client)",
        "Failure reason (Client)",
        "Time difference (us)",
    ]


def test_a_delivered_train(record: Any):
    latency = {"min": 40.0, "median": 52.25, "p99": 80.0}
    made = record(6, latency_us=latency)
    cells = "6; tcp; delivered; receiver's socket; 192.0.2.2; -; Y 3 of 3; Y 3 of 3; -; -; 52.2"
    assert rows(markdown([made])) == [cells.replace("Y", YES).split("; ")]


def test_a_refused_train(record: Any):
    refusal = {"errno": "EPROTONOSUPPORT", "place": "sender's socket()"}
    made = record(0, "refused_at_socket", "xfailed", sent=0, left=0, **refusal)
    cells = "0; -; refused at socket; sender's socket(); -; -; N; N; -; EPROTONOSUPPORT, sender's socket(); -"
    assert rows(markdown([made])) == [cells.replace("N;", f"{NO};").split("; ")]


def test_a_train_of_which_a_part_was_refused_did_not_succeed_at_the_client(record: Any):
    refusal = {"errno": "EPERM", "place": "sender's sendto()"}
    assert cell(record(47, "refused_at_send", "failed", sent=2, **refusal), "Succeeded (Client)") == NO


def test_a_lost_train_succeeded_at_the_client_only(record: Any):
    made = record(47, "lost", "failed")
    assert (cell(made, "Received (Server)"), cell(made, "Succeeded (Client)")) == (
        f"{NO} 0 of 3",
        f"{YES} 3 of 3",
    )


def test_a_source_that_nat_rewrote_is_the_one_the_server_saw(record: Any):
    assert cell(record(6, nat={"state": "translated", "source": "203.0.113.1"}), "Source IP (Server)") == "203.0.113.1"
    assert cell(record(6, direction="reverse"), "Source IP (Server)") == "198.51.100.2"


def test_where_nobody_looked_there_is_no_zero(record: Any):
    path = {"kind": "internet", "name": "", "source": "192.0.2.2", "target": "198.51.100.2", "agent": None}
    assert cell(record(47, "silent", "skipped", path=path), "Received (Server)") == "-"


def test_one_row_a_train_in_order(record: Any):
    run = [record(n) for n in reversed(range(-1, 264))]
    assert [row[0] for row in rows(markdown(run))] == [str(n) for n in range(-1, 264)]


def test_the_head_says_what_matters_first(record: Any):
    run = [record(6), record(47, "lost", "failed"), record(0, "refused_at_socket", "xfailed")]
    text = markdown(run, command="pytest suites/loopback", system="Linux 6.18")
    assert text.startswith("# pytest-hdp: 1 of 3 trains not as expected\n")
    assert "Measured 2026-11-23T10:00:00Z, on Linux 6.18." in text
    assert "```sh\npytest suites/loopback\n```" in text
    assert "- 47 (gre): expected delivered, got lost: 0 of 3 came to 198.51.100.2." in text
    assert "Control: all of it came through." in text
    assert "| lost | failed | 1 | 47 |" in text
    assert "\n\n\n" not in text


def test_headlines(record: Any):
    assert headline([]) == "no train measured"
    assert headline([], ["h1 could not be measured: no route"]) == "no train measured; h1 not measured"
    assert headline([record(6)]) == "1 train, all as expected"
    gone = "tokyo could not be measured: no route"
    assert headline([record(6)], [gone]) == "1 train, nothing unexpected; tokyo not measured"
    assert headline([record(6), record(7, "silent", "skipped")]) == "2 trains, nothing unexpected, 1 open"


def test_a_control_that_fared_differently_shows_the_worst(record: Any):
    run = [
        record(6),
        record(7, control={"sent": 9, "delivered": 4}),
        record(8, control={"sent": 0, "delivered": 0}),
    ]
    assert "Control: at worst, 4 of 9 came through." in markdown(run)
    assert "Control: none sent." in markdown(run[-1:])


def test_each_direction_has_a_table_of_its_own(record: Any):
    text = markdown([record(6), record(6, direction="reverse")])
    assert text.count("| Protocol Number |") == text.count("## lab") == 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sender's socket(), 3 of 3 - 50 %", "sender's socket(), 3 of 3 - 50 %"),
        ("refused_at_socket", "refused_at_socket"),
        ("_emphasis_ a|b `c` *d*", r"\_emphasis\_ a\|b \`c\` \*d\*"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("two\nlines", r"two\\nlines"),
        ("@me #12", "@<!-- -->me #<!-- -->12"),
        ("https://a.b www.c", "https:<!-- -->//a.b www<!-- -->.c"),
    ],
)
def test_text_is_shown_literally(text: str, shown: str):
    assert escaped(text) == shown


@given(st.one_of(ANY_TEXT, MARKUP))
def test_no_markup_survives(text: str):
    shown = escaped(text).replace("<!-- -->", "\0")
    bare = re.sub(r"\\[\\`*_{}\[\]|~$]", "x", shown)
    assert not re.search(r"[`*{}\[\]|~$<>\n\r]|(?i:[@]\w|://|\bwww\.)", bare)
    assert shown.replace("\0", "").isprintable() or not shown


@given(MARKUP)
@example("```")
@example("a ```` b")
def test_text_cannot_end_a_code_block(text: str):
    fence, body, last = code_block(text)
    assert fence == last
    assert fence not in body


def test_a_hostile_run_keeps_the_tables_shape(hostile_result: Result, hostile: str):
    text = markdown([hostile_result], command=hostile, system=hostile)
    assert all(line.isprintable() or not line for line in text.split("\n"))
    (last,) = [line for line in text.splitlines() if line.startswith("| 47 ")]
    assert len(re.findall(r"(?<!\\)\|", last)) == len(HEADS) + 1
