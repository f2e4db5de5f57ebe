"""Which hops the page says answered, from what the records hold: never more than that."""

from pytest_hdp.report.page.hops import of_courses, of_train

HOPS = [{"ttl": 1, "address": "192.0.2.1"}, {"ttl": 2, "address": "100.64.0.1"}]
CONTROL = [
    [1, "not asked", "open", "answered by 192.0.2.1", "seen"],
    [2, "not asked", "open", "answered by 100.64.0.1", "seen"],
]


def icmp(kind, code, *, authenticated=True):
    return [{"from": "192.0.2.1", "type": kind, "code": code, "count": 1, "authenticated": authenticated}]


def own(record, **rung):
    climb = {"ttls": [{"ttl": 1, "sent": 2, "control": {}, **rung}]}
    return of_train(record(47, "lost", "failed", climb=climb), [])["rows"][0][1:]


def test_the_controls_hops_hold_for_all_trains_of_that_path_and_direction(record):
    found = [record(47, "lost", "failed", hops=HOPS)]
    other_form = [record(6, form="wellformed")]
    reverse = [record(6, direction="reverse")]
    groups = [found, other_form, reverse]
    assert of_courses(groups) == [CONTROL, CONTROL, []]
    assert of_train(other_form[0], CONTROL) is None
    assert of_train(found[0], CONTROL) is None  # of an older version, which did not keep how it climbed


def test_who_did_not_climb_says_who_did_in_its_place(record):
    assert of_train(record(50, "lost", "failed", climb={"with": 47}), CONTROL) == {"by": 47}


def test_each_answer_is_called_what_it_is(record):
    silent = {"answered": 3, "from": "192.0.2.1"}
    assert own(record, icmp=icmp(11, 0)) == ["answered by 192.0.2.1", "seen", "no answer", "open"]
    assert own(record, silent=True, control=silent) == [
        "no answer to 2", "unseen", "answered 3 times by 192.0.2.1", "seen",
    ]  # fmt: skip
    assert own(record)[:2] == ["no answer to 2, which may be chance", "open"]
    assert own(record, sent=0)[:2] == ["not sent", "open"]
    assert own(record, icmp=icmp(11, 0, authenticated=False))[1] == "open"
    rejected, mark, *_ = own(record, icmp=icmp(3, 13))
    assert (rejected, mark) == (
        "192.0.2.1 answered communication administratively prohibited (ICMP 3/13) instead", "unseen",
    )  # fmt: skip
    assert own(record, control={"arrived": 1}) == [
        "nothing came back of 2 sent; no hop had to answer", "open", "came through", "seen",
    ]  # fmt: skip


def test_hops_beyond_the_climb_are_the_controls(record):
    one = record(47, "lost", "failed", climb={"ttls": [{"ttl": 1, "sent": 3, "control": {}, "silent": True}]})
    assert [row[0:2] for row in of_train(one, CONTROL)["rows"]] == [[1, "no answer to 3"], [2, "not asked"]]
