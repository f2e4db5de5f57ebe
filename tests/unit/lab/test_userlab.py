"""Labs from files and classes: what they say, and one clear line for whatever is wrong with them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_hdp.judge.verdict import BOTH_FORMS, Direction, Form, Verdict
from pytest_hdp.lab.boxes import Router, Where
from pytest_hdp.lab.catalogue import LABS, make, names

FORWARD, REVERSE, BARE = Direction.FORWARD, Direction.REVERSE, Form.BARE
DOCUMENTATION = Path(__file__).parents[3] / "docs" / "labs.md"
ROUTER = '[[box]]\nkind = "router"\n'
OWN = '[[box]]\nkind = "nftables"\n'


@pytest.fixture
def written(tmp_path):
    def write(text: str) -> str:
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def complaint(name: str) -> str:
    with pytest.raises(ValueError, match=r"^.+$") as caught:
        make(name)
    return str(caught.value)


def test_the_worked_example_of_the_documentation(written):
    blocks = re.findall(r"```toml\n(.*?)```", DOCUMENTATION.read_text(encoding="utf-8"), re.DOTALL)
    spec = make(written(blocks[0]))
    assert (spec.name, [box.name for box in spec.boxes]) == ("office", ["router", "office-firewall", "loss", "router"])
    verdicts = {number: spec.expected(number, FORWARD, BARE).verdict for number in (41, 47, 50, 89, 253)}
    assert verdicts == {
        41: Verdict.LOST,
        47: Verdict.LOST,
        50: Verdict.LOST,
        89: Verdict.REJECTED,
        253: Verdict.DELIVERED,
    }
    assert spec.expected(41, REVERSE, BARE).verdict is Verdict.DELIVERED
    assert spec.expected(89, FORWARD, BARE).icmp_from == spec.layout.hops()[2].address
    assert spec.expected(253, FORWARD, BARE).also == {Verdict.INCONCLUSIVE}


def test_the_table_of_the_documentation_names_every_kind_and_parameter():
    from dataclasses import fields

    from pytest_hdp.lab.userlab import kinds

    text = DOCUMENTATION.read_text(encoding="utf-8").partition("## A lab of your own, in TOML")[2]
    rows = re.findall(r"^\| (`[a-z].*?) \| (.*) \|$", text, re.MULTILINE)
    told = {
        kind: set(re.findall(r"`(\w+)`", parameters))
        for kinds_, parameters in rows
        for kind in re.findall(r"`([\w-]+)`", kinds_)
    }
    assert told == {name: {each.name for each in fields(box)} for name, box in kinds().items()}


def test_parameters_reach_the_box(written):
    spec = make(written(ROUTER + '[[box]]\nkind = "allowlist"\npasses = "gre,50-51"\n' + ROUTER))
    assert spec.expected(47, FORWARD, BARE).verdict is Verdict.DELIVERED
    assert spec.expected(17, FORWARD, BARE).verdict is Verdict.LOST
    assert spec.name == "mine"
    assert "47, 50, 51" in spec.description


def test_rules_in_a_file_beside_it(written, tmp_path):
    (tmp_path / "rules.nft").write_text("table ip mine { }\n", encoding="utf-8")
    spec = make(written(OWN + 'rules_file = "rules.nft"\nwhere = "target"\nsysctls = { "ipv4/ip_default_ttl" = 3 }\n'))
    assert spec.boxes[0].rules == "table ip mine { }\n"
    assert spec.boxes[0].where is Where.TARGET
    assert spec.boxes[0].sysctls == {"ipv4/ip_default_ttl": 3}


def test_a_box_that_translates_hides_what_is_inside(written):
    layout = make(written(OWN + "translates = true\n" + ROUTER)).layout
    assert layout.second_link is not None
    assert layout.outside_address == "203.0.113.5"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no [[box]]"),
        ("box = 3", "has no [[box]]"),
        ("box = [3]", "is not a table"),
        ("[lab]\nnam = 'x'\n" + ROUTER, "[lab] has no 'nam'"),
        ("surplus = 1\n" + ROUTER, "has no 'surplus'"),
        ('[[box]]\nkind = "rooter"', "kind 'rooter' is none of"),
        ("[[box]]\nkind = [1]", "is none of"),
        ('[[box]]\nkind = "loss"\nprobability = 1.5', "not from 0 to 1"),
        ('[[box]]\nkind = "loss"\nprobability = -1', "not a number from 0 up"),
        ('[[box]]\nkind = "loss"\nprobability = "much"', "not a number"),
        ('[[box]]\nkind = "loss"\nprobability = nan', "not a number"),
        ('[[box]]\nkind = "router"\nicmp_limit = 1', "true or false"),
        ('[[box]]\nkind = "first-only"\ntimeout = 0.5', "not a"),
        ('[[box]]\nkind = "loss"\nprobabilty = 0.5', "has no 'probabilty'"),
        ('[[box]]\nkind = "allowlist"\npasses = "banana"', "'banana' names no protocol"),
        (OWN + 'where = "wire"', "not on a wire"),
        (OWN + 'where = "beside"', "not on a wire or beside"),
        (OWN + 'where = "moon"', "none of"),
        (OWN + "rules = 5", "rules is a text"),
        (OWN + 'rules_file = "absent.nft"', "absent.nft"),
        (OWN + 'sysctls = { "../../kernel/panic" = 1 }', "below /proc/sys/net"),
        (OWN + "sysctls = 5", "is a table"),
        (OWN + "expect = 5", "two brackets"),
        (OWN + "translates = 1", "true or false"),
        (OWN + "[[box.expect]]\n", "verdict = None is none of"),
        (OWN + '[[box.expect]]\nverdict = "renumbered"', "not for a box"),
        (OWN + '[[box.expect]]\nverdict = "lost"\nicmp = [3]', "icmp is a type and a code"),
        (OWN + '[[box.expect]]\nverdict = "lost"\nalso = 5', "also is a list"),
        (OWN + '[[box.expect]]\nverdict = "lost"\nchanged = 5', "changed is a list"),
        (OWN + '[[box.expect]]\nverdict = "lost"\nnat = "yes"', "nat"),
        (OWN + '[[box.expect]]\nverdict = "lost"\ndirection = "up"', "none of"),
        (ROUTER + '[[box]]\nkind = "refuse"', "put one between"),
        ("not toml", "mine.toml:1: Expected"),
        (ROUTER * 61, "at most 60"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_the_file(text, said, written):
    name = written(text)
    message = complaint(name)
    assert message.startswith(f"lab {name}:")
    assert said in message


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(["kind", "probability", "name", "rules", "sysctls", "expect", "passes", "where"]),
        st.sampled_from(
            ['"nftables"', '"loss"', '"allowlist"', "1", "-1", "[]", "[1]", "{}", "{ a = [] }", "true", '""']
        ),
    )
)
def test_no_file_brings_anything_but_a_lab_or_a_value_error(written, table):
    text = "[[box]]\n" + "".join(f"{key} = {value}\n" for key, value in table.items())
    try:
        make(written(text)).expected(253, FORWARD, BARE)
    except ValueError as error:
        told = str(error)
    else:
        told = ""
    assert "\n" not in told


def test_a_missing_and_a_binary_file(tmp_path):
    assert "No such file" in complaint(str(tmp_path / "absent.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in complaint(str(tmp_path / "binary.toml"))


def test_the_class_of_the_documentation(tmp_path, monkeypatch):
    code = re.findall(r"```python\n(.*?)```", DOCUMENTATION.read_text(encoding="utf-8"), re.DOTALL)[0]
    (tmp_path / "oneway_of_docs.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = make("oneway_of_docs:OneWay")
    assert [type(box).__name__ for box in spec.boxes] == ["Router", "OneWay", "Router"]
    assert spec.expected(254, REVERSE, BARE).verdict is Verdict.LOST
    assert spec.expected(254, FORWARD, BARE).verdict is Verdict.DELIVERED
    assert spec.description == "253 and 254 get out, and not in"


@pytest.mark.parametrize(
    ("code", "ok"),
    [
        ("from pytest_hdp.lab.boxes import Router\ndef thing(): return [Router(), Router()]", True),
        ("from pytest_hdp.lab.catalogue import make\nthing = make('home-nat')", True),
        ("thing = 3", False),
        ("def thing(): return [3]", False),
        ("def thing(): raise RuntimeError('one\\ntwo')", False),
        ("thing = ", False),
        ("", False),
    ],
)
def test_what_a_module_may_give(code, ok, tmp_path, monkeypatch, request):
    module = f"userlab_module_{abs(hash(request.node.name))}"
    (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    if ok:
        assert all(isinstance(box, Router) or box.name for box in make(f"{module}:thing").boxes)
    else:
        assert complaint(f"{module}:thing").startswith(f"lab {module}:thing")


def test_a_module_that_is_not_there():
    assert "nosuchmodule" in complaint("nosuchmodule:Class")


def test_names_of_the_catalogue():
    assert names() == list(LABS)
    assert {"home-nat", "allowlist", "reject", "first-only", "carrier-grade", "loss-20", "forger"} <= set(names())
    assert all(spec.description and "\n" not in spec.description for spec in LABS.values())


@pytest.mark.parametrize("name", names())
def test_every_lab_knows_the_truth_of_every_number(name):
    layout = make(name).layout
    for direction in Direction:
        for form in BOTH_FORMS:
            for number in range(-1, 264):
                assert layout.expected(number, direction, form).verdict in set(Verdict)


def test_an_unknown_name_brings_the_nearest():
    assert complaint("home-net").endswith("did you mean home-nat?") or "home-nat" in complaint("home-net")
    assert "hdp lab list" in complaint("zzzzzzzz")
    assert "'zzz'" in complaint("home-nat+zzz")
    assert complaint("")


def test_labs_compose():
    spec = make("allowlist+loss-5")
    assert [box.name for box in spec.boxes] == ["router", "allowlist", "router", "loss", "router"]
    truth = spec.expected(253, FORWARD, BARE)
    assert (truth.verdict, truth.last_hop and truth.last_hop.ttl) == (Verdict.LOST, 2)
