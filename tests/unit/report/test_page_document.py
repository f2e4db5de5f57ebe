"""The page's text, without a browser: what may stand in it, and that what it shows is what was recorded."""

import base64
import hashlib
import json
import re

from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.judge.result import Made
from pytest_hdp.report.jsonl import line_of
from pytest_hdp.report.page.document import json_block, page
from pytest_hdp.report.runs import load

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def data_of(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


@given(values)
def test_no_value_can_leave_its_block(value):
    text = json_block(value)
    assert not {"<", ">", "&", "\u2028"} & set(text)
    assert json.loads(text) == value


def test_a_placeholder_in_a_record_stays_text(record):
    text = page([record(47, explanation="{{script}} {{nonsense}}")], [Made(command="{{data}}")])
    assert data_of(text)["texts"] == ["{{script}} {{nonsense}}"]


def test_the_policy_names_exactly_what_is_there(record):
    text = page([record(47)])
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    for tag in ("script", "style"):
        [body] = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert f"{tag}-src 'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'")
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)


def test_hostile_results_are_only_text(hostile_result):
    text = page([hostile_result], [hostile_result.made], problems=["<b>"])
    assert "<b>" not in text.replace("<b>pytest-hdp</b>", "")
    assert not {"\x1b", "\0", "\u202e", "\u2028"} & set(text)


def test_runs_of_one_path_are_kept_apart(tmp_path, record):
    for name, verdict in (("monday", "delivered"), ("friday", "lost")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.jsonl").write_text(line_of(record(47, verdict)))
    runs = load([tmp_path / "monday", tmp_path / "friday" / "results.jsonl"])
    assert [each.path.name for each in runs.results] == ["home-nat in monday", "home-nat in friday"]
    assert not runs.problems
    drawn = data_of(page(runs.results, runs.made))
    assert [row["numbers"] for row in drawn["differ"]] == ["47 (gre)"]
    twice = load([tmp_path / "monday", tmp_path / "monday"])
    assert [each.path.name for each in twice.results] == ["home-nat in monday (1)", "home-nat in monday (2)"]
    assert load([tmp_path / "monday"]).results[0].path.name == "home-nat"
