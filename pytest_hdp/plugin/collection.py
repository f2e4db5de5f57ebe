"""Which tests want which trains: the marker `hdp`, test ids, and the choice of `--hdp-protocols`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pytest_hdp.judge.evidence import Train, behind
from pytest_hdp.judge.path_keys import bare_key, family_in, path_key, wellformed_key
from pytest_hdp.judge.verdict import BOTH_FORMS, SHAPED_FORMS, Direction, Form
from pytest_hdp.packet.chain import TRANSPORTS
from pytest_hdp.packet.family import IPV6
from pytest_hdp.packet.numbers import parse_protocols
from pytest_hdp.plugin.boxes import CONTAINMENT, boxes
from pytest_hdp.plugin.chains import HEADERS, NOT_ASKED, asked_chains, takes_part
from pytest_hdp.plugin.ids import case_id, only_route_id, path_id
from pytest_hdp.plugin.marker import marked
from pytest_hdp.plugin.options import Settings
from pytest_hdp.plugin.skips import LeftOut, left_out, one_skip, skipped, spec_of

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Result
    from pytest_hdp.measure.campaign.campaign import Campaign
    from pytest_hdp.plugin.inventory import Target

CAMPAIGN: pytest.StashKey[Campaign] = pytest.StashKey()
SETTINGS: pytest.StashKey[Settings] = pytest.StashKey()
RESULT: pytest.StashKey[Result] = pytest.StashKey()
BY_HAND: pytest.StashKey[Result] = pytest.StashKey()
"""What became of the last train that a test sent by itself."""

LOOPBACK = "loopback"
DEFAULT_PROTOCOLS = tuple(range(256))


@dataclass(frozen=True, slots=True)
class Case:
    """What one parametrised test is about: a train on a path."""

    path_key: str
    train: Train


def generate(metafunc: pytest.Metafunc) -> None:
    """Parametrise a test that uses `hdp_probe` or `hdp_protocol` with its cases."""
    if "hdp_case" not in metafunc.fixturenames:
        _generate_routes(metafunc)
        # A marker on the module or class is for those of its tests that want it.
        if any(marker.name == "hdp" and "protocols" in marker.kwargs for marker in metafunc.definition.own_markers):
            raise pytest.Collector.CollectError(
                f"{metafunc.definition.name} is marked hdp(protocols=...) and uses neither hdp_probe nor hdp_protocol"
            )
        return
    settings = metafunc.config.stash[SETTINGS]
    arguments = marked(metafunc.definition)
    chosen, module = settings.extension_headers, metafunc.definition.path
    if arguments.get("variant") == HEADERS and not takes_part(metafunc.config, chosen, module):
        metafunc.parametrize("hdp_case", [one_skip(NOT_ASKED)], indirect=True)
        return
    try:
        cases = list(_cases(settings, arguments))
    except ValueError as error:
        raise pytest.Collector.CollectError(f"the marker hdp of {metafunc.definition.name}: {error}") from None
    if not (keys := path_keys(settings, arguments)):
        metafunc.parametrize("hdp_case", [skipped(settings, arguments)], indirect=True)
        return
    tags = {key: _tags(settings, key) for key in {case.path_key for case in cases}}
    names = [(bare_key(case.path_key), case.train.direction, case.train.form) for case in cases]
    named = [len({name[part] for name in names}) > 1 for part in range(3)]
    named[0] |= bool(settings.inventory) and LOOPBACK not in map(bare_key, tags)
    parameters = [
        pytest.param(case, id=case_id(case.path_key, case.train, named), marks=tags[case.path_key]) for case in cases
    ]
    if arguments.get("variant") == HEADERS and LOOPBACK not in map(bare_key, keys):
        parameters += _dropped(settings, keys)
    metafunc.parametrize("hdp_case", parameters, indirect=True)


def _dropped(settings: Settings, keys: list[str]) -> list[Any]:
    """One skip for each path that is named, and can't be asked of headers as the others are."""
    return [
        pytest.param(
            each,
            id=only_route_id(each.key, named=True),
            marks=[*_tags(settings, each.key), pytest.mark.skip(reason=each.why)],
        )
        for each in left_out(settings, keys)
    ]


def _generate_routes(metafunc: pytest.Metafunc) -> None:
    """One test for each path, where there are several; one skip where there is none."""
    if "hdp_route" not in metafunc.fixturenames:
        return
    settings = metafunc.config.stash[SETTINGS]
    arguments = marked(metafunc.definition)
    keys = path_keys(settings, arguments)
    if not keys:
        metafunc.parametrize("hdp_route", [skipped(settings, arguments)], indirect=True)
        return
    named = len({bare_key(key) for key in keys}) > 1 or (bool(settings.inventory) and bare_key(keys[0]) != LOOPBACK)
    if named or len(keys) > 1 or family_in(keys[0]) is IPV6:
        ids = [only_route_id(key, named=named) or pytest.HIDDEN_PARAM for key in keys]
        parameters = [
            pytest.param(key, id=name, marks=_tags(settings, key)) for key, name in zip(keys, ids, strict=True)
        ]
        metafunc.parametrize("hdp_route", parameters, indirect=True)


def path_keys(settings: Settings, arguments: dict[str, Any]) -> list[str]:
    """The paths that a test runs over: what its marker and the command line say."""
    asked = arguments.get("path")
    if asked not in {None, "loopback", "target"}:
        raise pytest.Collector.CollectError(f"the marker hdp: path {asked!r} is not one of 'loopback', 'target'")
    variant = arguments.get("variant")
    if variant == CONTAINMENT:
        return [*_in_labs(settings, CONTAINMENT), *(box.key for box in boxes(settings))]
    keys = _in_labs(settings) + [target.key for target in settings.targets]
    if asked == "loopback" or (asked is None and not keys and not settings.lab):
        return [path_key(LOOPBACK, family) for family in settings.families]
    if arguments.get("eyes"):
        keys = [key for key in keys if not _nobody_watches(settings, key)]
    if variant is None:
        return keys
    emulated = _in_labs(settings, variant)
    if variant == HEADERS:
        return emulated or [key for key in keys if family_in(key) is IPV6 and not key.startswith("lab:")]
    again = keys if variant in {"first", "latency"} else [f"{key}#{variant}" for key in keys if settings.second]
    return emulated or again


def _in_labs(settings: Settings, variant: str = "") -> list[str]:
    """The paths in labs: a box beside its twin is asked what gets out of it, and every other lab is a path."""
    of = f"#{variant}" if variant else ""
    return [
        path_key(f"lab:{name}{of}", family)
        for name in settings.lab
        if spec_of(name).has_twin is (variant == CONTAINMENT)
        if variant != "second" or spec_of(name).layout.second_link is not None
        if variant != HEADERS or spec_of(name).layout.states_chains
        for family in settings.families
        if variant != HEADERS or family is IPV6
    ]


def _cases(settings: Settings, arguments: dict[str, Any]) -> list[Case]:
    numbers = _numbers(settings, arguments)
    needs = bool(arguments.get("needs")) or arguments.get("variant") == HEADERS
    forms = BOTH_FORMS if needs else _forms(settings, arguments)
    directions = _directions(str(arguments.get("direction", _usual_direction(settings, arguments))))
    if arguments.get("chains"):
        if arguments.get("variant") != HEADERS:
            raise ValueError("chains=True needs variant='headers'")
        return [
            Case(key, behind(chain, number, direction))
            for key in path_keys(settings, arguments)
            for direction in directions
            if direction is Direction.FORWARD or not _nobody_watches(settings, key)
            for chain in asked_chains(settings.extension_headers)
            for number in TRANSPORTS
        ]
    return [
        Case(_untouched_for(key, form), Train(number, direction, form))
        for key in path_keys(settings, arguments)
        for direction in directions
        if direction is Direction.FORWARD or not _nobody_watches(settings, key)
        for form in forms
        for number in (_by_interest(numbers) if _nobody_watches(settings, key) else numbers)
        if (form is Form.BARE and not needs)
        or form in SHAPED_FORMS
        or _has_carrier(number, key) is (form is Form.WELLFORMED)
        if number or form is Form.WELLFORMED or arguments.get("variant") != CONTAINMENT or family_in(key) is not IPV6
    ]


def _nobody_watches(settings: Settings, key: str) -> bool:
    target = target_of(settings, key)
    return target is not None and target.agent is None


def target_of(settings: Settings, key: str) -> Target | None:
    """The target that a path leads to, if it is one that the command line or the inventory names."""
    if not key.startswith("target:"):
        return None
    return next((target for target in settings.targets if target.key == key.partition("#")[0]), None)


def _tags(settings: Settings, key: str) -> list[pytest.MarkDecorator]:
    """The tags of a path's target, as marks: `-m asia` selects its tests."""
    target = target_of(settings, key)
    return [getattr(pytest.mark, tag) for tag in target.tags] if target is not None else []


def _by_interest(numbers: tuple[int, ...]) -> list[int]:
    """In the order in which a slow target is asked, so that the first tests are the first to know."""
    from pytest_hdp.measure.order import by_interest

    return [train.protocol for train in by_interest(map(Train, numbers))]


def _numbers(settings: Settings, arguments: dict[str, Any]) -> tuple[int, ...]:
    if arguments.get("needs"):
        return settings.needs or ()
    if "protocols" in arguments:
        return parse_protocols(str(arguments["protocols"]))
    if settings.protocols is not None:
        return settings.protocols
    if "default" in arguments:
        return parse_protocols(str(arguments["default"]))
    return DEFAULT_PROTOCOLS


def _forms(settings: Settings, arguments: dict[str, Any]) -> tuple[Form, ...]:
    form = arguments.get("form")
    if form is None and settings.form is not None and arguments.get("variant") == CONTAINMENT:
        return settings.form
    if form is None and settings.form is not None:  # of what is no box the others are not asked
        return tuple(each for each in settings.form if each in BOTH_FORMS) or (Form.BARE,)
    if form is None:
        return BOTH_FORMS if arguments.get("variant") == CONTAINMENT else (Form.BARE,)
    return BOTH_FORMS if form == "both" else (Form(form),)


def _usual_direction(settings: Settings, arguments: dict[str, Any]) -> str:
    """What a marker that names none means: of a box, what the user asks for."""
    return settings.direction or "forward" if arguments.get("variant") == CONTAINMENT else "forward"


def _directions(text: str) -> tuple[Direction, ...]:
    return (Direction.FORWARD, Direction.REVERSE) if text == "both" else (Direction(text),)


def _has_carrier(number: int, key: str) -> bool:
    from pytest_hdp.packet.carrier import carriers

    return number in carriers(family_in(key))


def _untouched_for(key: str, form: Form) -> str:
    """A lab is built once more for the second form: boxes that count packets count those of both together."""
    return wellformed_key(key) if form is Form.WELLFORMED else key


def case_of(item: pytest.Item) -> Case | None:
    """The case that a test was parametrised with."""
    callspec = getattr(item, "callspec", None)
    case = callspec.params.get("hdp_case") if callspec is not None else None
    return case if isinstance(case, Case) else None


def uses_path(item: pytest.Item) -> bool:
    """Whether a test sends over a path itself, and does not only read a result."""
    return "hdp_path" in getattr(item, "fixturenames", ())


def path_key_of(item: pytest.Item) -> str | None:
    """The key of the path that a test runs over, if it runs over any: its case's, its own, else the only one."""
    if (case := case_of(item)) is not None:
        return case.path_key
    if "hdp_route" not in getattr(item, "fixturenames", ()):
        return None
    callspec = getattr(item, "callspec", None)
    if callspec is not None and "hdp_route" in callspec.params:
        key = callspec.params["hdp_route"]
        return key if isinstance(key, str) else None
    return next(iter(path_keys(item.config.stash[SETTINGS], marked(item))), None)


def asked_of(item: pytest.Item, *, served: bool = False) -> list[str]:
    """What a test is about, as its path is called, whichever of an experiment's variants that is.

    A test that no path suits is about all that are named, unless it is asked for what is `served`.
    """
    if (key := path_key_of(item)) is not None:
        return [path_id(key) or key]
    callspec = getattr(item, "callspec", None)
    if served or callspec is None or not {"hdp_case", "hdp_route"} & callspec.params.keys():
        return []
    if isinstance(dropped := callspec.params.get("hdp_case"), LeftOut):
        return [path_id(dropped.key)]
    settings = item.config.stash[SETTINGS]
    return [*settings.lab, *(target.name for target in settings.targets)]
