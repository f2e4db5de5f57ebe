"""Stands in for kubectl: takes its command line as strictly, runs the words in the namespace of the pod's name.

The environment says how many bytes of the far end's output come through before the stream is cut; then it ends with
status 0, as `kubectl exec` may, while what runs in the pod lives on with its standard input open.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import warnings

NODE_WAITS = 90  # seconds: longer than an agent hears nothing
COMMON = ("--namespace", "--context", "--container")
TAKES = {"exec": COMMON, "debug": (*COMMON, "--image", "--profile", "--target")}
PROFILES = ("legacy", "general", "baseline", "netadmin", "restricted", "sysadmin")
PODS = {"client": ("app", "default"), "server": ("app", "shop")}


def fail(text: str, status: int = 1) -> None:
    print(text, file=sys.stderr)
    sys.exit(status)


def main() -> None:
    verb, *words = sys.argv[1:]
    if verb not in TAKES:
        fail(f'error: unknown command "{verb}" for "kubectl"')
    given: dict[str, str] = {}
    places: list[str] = []
    while words and words[0] != "--":
        name, equals, value = words[0].partition("=")
        if name in ("-i", "--stdin") or (name == "--quiet" and verb == "debug"):
            given[name] = "true"
        elif name in TAKES[verb] and equals:
            given[name] = value
        elif name.startswith("-"):
            fail(f"error: unknown flag: {name}")
        else:
            places.append(words[0])
        del words[0]
    there = words[1:]
    if len(places) != 1 or not there or "-i" not in given:
        fail("error: you must specify at least one command for the container")
    check(verb, places[0], given)
    relay(["ip", "netns", "exec", places[0], *there])


def check(verb: str, pod: str, given: dict[str, str]) -> None:
    """Refuse what the cluster, or kubectl, would refuse."""
    if given.get("--context", "lab") != "lab":
        fail(f'error: context "{given["--context"]}" does not exist')
    if PODS.get(pod, ("", ""))[1] != given.get("--namespace", "default"):
        fail(f'Error from server (NotFound): pods "{pod}" not found')
    if verb == "exec":
        if given.get("--container", "app") != "app":
            fail(f"Error from server (BadRequest): container {given['--container']} is not valid for pod {pod}")
        if os.environ.get("WITHOUT_PYTHON"):
            fail('error: Internal error occurred: exec: "python3": executable file not found in $PATH: unknown')
        return
    if given.get("--profile", "legacy") not in PROFILES or "--image" not in given:
        fail("error: --image is required when using --image, --copy-to or -i")
    if "--quiet" not in given and "--container" not in given:
        print("Defaulting debug container name to debugger-xyzzy.", flush=True)


def relay(command: list[str]) -> None:
    """Run it, and hand over what it says, up to where the stream is cut."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    left = int(os.environ.get("CUT_AFTER") or 1 << 60)
    threading.Thread(target=copy, args=(process.stdin.fileno(),), daemon=True).start()
    while left and (found := os.read(process.stdout.fileno(), min(left, 1 << 16))):
        os.write(1, found)
        left -= len(found)
    if not left:
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # since Python 3.12: a fork beside a thread; ours only reads
        if os.fork() == 0:  # the node's end of the stream: nobody tells it that the client is gone
            for each in (0, 1, 2):
                os.close(each)
            time.sleep(NODE_WAITS)
            os._exit(0)
        os._exit(0)
    sys.exit(process.wait())


def copy(to: int) -> None:
    while found := os.read(0, 1 << 16):
        os.write(to, found)
    os.close(to)


main()
