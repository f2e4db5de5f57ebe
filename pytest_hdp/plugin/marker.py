"""The marker `hdp`: what it takes, and what a test's markers say together."""

from __future__ import annotations

from typing import Any

import pytest

MARKER = (
    "hdp(protocols=None, default=None, form=None, direction='forward', path=None, variant=None, eyes=False, "
    "needs=False, chains=False): "
    "one test for each protocol number. protocols: exactly these (--hdp-protocols can only leave some out); "
    "default: these unless --hdp-protocols says otherwise; form: 'bare', 'wellformed', 'both' (default: --hdp-form); "
    "direction: 'forward', 'reverse', 'both'; path: 'loopback', or 'target' for what the command line names; "
    "variant: a path on which nothing has been sent before, in a lab or from a second --hdp-source: 'unsolicited', "
    "'second' (a second host behind the NAT), 'first', 'latency'; 'headers': by IPv6; 'containment': out of a box; "
    "eyes=True: only where there is an agent; "
    "needs=True: the numbers of --hdp-needs, well-formed where they have a form; "
    "chains=True: transports behind the chains of --hdp-extension-headers."
)
ARGUMENTS = frozenset({"protocols", "default", "form", "direction", "path", "variant", "eyes", "needs", "chains"})


def marked(node: pytest.Item | Any) -> dict[str, Any]:
    """The marker's arguments for a test: a closer marker's win over a farther one's (module, class)."""
    merged: dict[str, Any] = {}
    for marker in node.iter_markers("hdp"):
        unknown = marker.kwargs.keys() - ARGUMENTS
        if marker.args or unknown:
            what = f"takes no {', '.join(sorted(unknown))}" if unknown else "takes keyword arguments only"
            raise pytest.Collector.CollectError(f"the marker hdp {what}; it is {MARKER}")
        merged = {**marker.kwargs, **merged}
    return merged
