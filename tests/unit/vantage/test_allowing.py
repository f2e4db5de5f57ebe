"""What a user is told to do where namespaces are forbidden, by what /proc/sys says."""

import pytest

from pytest_hdp.vantage.points import how_to_allow


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "which a container's seccomp profile or a security module forbids here"),
        ({"user/max_user_namespaces": "31768"}, "forbids here"),
        ({"user/max_user_namespaces": "0"}, "sudo sysctl user.max_user_namespaces=10000"),
        ({"kernel/unprivileged_userns_clone": "0"}, "sudo sysctl kernel.unprivileged_userns_clone=1"),
        (
            {"kernel/apparmor_restrict_unprivileged_userns": "1", "kernel/unprivileged_userns_clone": "1"},
            "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        (
            {"user/max_user_namespaces": "0", "kernel/apparmor_restrict_unprivileged_userns": "1"},
            "sudo sysctl user.max_user_namespaces=10000 kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    ],
)
def test_the_settings_that_forbid_are_named_with_what_allows(tmp_path, settings, says):
    for name, value in settings.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(value + "\n")
    assert how_to_allow(tmp_path).startswith("allow user namespaces")
    assert how_to_allow(tmp_path).endswith(says)
