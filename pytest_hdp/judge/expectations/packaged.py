"""The profiles that come with the package: of kernels' loopback, of providers' networks."""

from __future__ import annotations

from functools import cache
from importlib import resources

from pytest_hdp.judge.expectations.profile import Profile, ProfileError
from pytest_hdp.judge.expectations.profile_file import load_profile
from pytest_hdp.untrusted.text import plain


def builtin_names() -> tuple[str, ...]:
    """Return the names of the profiles that come with the package."""
    folder = resources.files("pytest_hdp.judge") / "profiles"
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


@cache
def builtin(name: str) -> Profile:
    """Return a profile that comes with the package. ProfileError names those that there are."""
    if name not in builtin_names():
        raise ProfileError(f"no profile is named {plain(name)!r}: there are {', '.join(builtin_names())}")
    file = resources.files("pytest_hdp.judge") / "profiles" / f"{name}.toml"
    return load_profile(file.read_text(encoding="utf-8"), f"{name}.toml")


def for_system(system: str, path_kind: str) -> Profile | None:
    """Return the packaged profile of a system (as `platform.system()` names it) on a kind of path ("loopback")."""
    for name in builtin_names():
        profile = builtin(name)
        if (profile.system, profile.path) == (system, path_kind):
            return profile
    return None
