"""A real sshd at the target's end of a lab, and pytest runs at the client's end that log in there."""

from __future__ import annotations

import functools
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_hdp.lab.catalogue import make
from pytest_hdp.lab.topology import Lab, LabSpec
from pytest_hdp.vantage.netns.supervisor import Namespace, Running

TOP = Path(__file__).parents[3]
SWEEP = str(TOP / "suites" / "internet" / "test_sweep.py")
SSHD = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin:/sbin") or "/usr/sbin/sshd"
SUDO_USER, PLAIN_USER, ASKED_USER = "hdp-sudo", "hdp-plain", "hdp-asked"
USERS = (SUDO_USER, PLAIN_USER, ASKED_USER)

# In a mount namespace of sshd's own: what is written here is nowhere else.
START = """
set -e
mount --make-rprivate /
mount -t tmpfs none /run
mkdir -m 755 /run/sshd
for file in passwd shadow group sudoers; do mount --bind "$1/$file" "/etc/$file"; done
[ ! -d "$1/root" ] || mount -t overlay none -o "lowerdir=/root,upperdir=$1/root,workdir=$1/work" /root
sshd=$2 config=$1/sshd_config
shift 2
exec "$sshd" -D -e -f "$config" "$@"
"""
SSHD_CONFIG = """
AddressFamily any
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
MaxStartups 50
"""
SSH_CONFIG = """
Host *
  IdentityFile {folder}/user_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
"""


@dataclass
class Done:
    """A pytest run that has ended. `records` by number and direction."""

    status: int
    printed: str
    records: dict[tuple[int, str], dict[str, Any]] = field(default_factory=dict)

    @property
    def verdicts(self) -> dict[tuple[int, str], str]:
        return {key: record["verdict"] for key, record in self.records.items()}

    @property
    def error(self) -> str:
        """The one line of a refusal."""
        lines = [line for line in self.printed.splitlines() if line.startswith("ERROR")]
        assert len(lines) == 1, self.printed
        return lines[0]


class Hosts:
    """A lab with an sshd at its target. `folder` is for keys and files, and outlives none of it.

    `known`: the addresses under which the client knows the host key.
    """

    def __init__(self, folder: Path, lab: str | LabSpec = "home-nat", seed: int = 1) -> None:
        self.folder = folder
        self.lab = Lab(make(lab) if isinstance(lab, str) else lab, seed=seed)
        self.known: tuple[str, ...] = (self.lab.target_address,)
        self.runs = 0

    def __enter__(self) -> Hosts:
        self.write_files()
        self.lab.__enter__()
        try:
            self.serve()
        except BaseException:
            self.lab.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.lab.close()

    @property
    def client(self) -> Namespace:
        return self.lab.namespace(self.lab.client)

    @property
    def address(self) -> str:
        return self.lab.target_address

    @property
    def login(self) -> str:
        """Where the target's sshd is reached."""
        return self.address

    def serve(self) -> None:
        self.start_sshd()

    def agent(self, user: str = "root", words: str = "", options: str = "") -> str:
        return f"ssh={words} -F {self.folder}/ssh_config {options} {user}@{self.login}".replace("  ", " ")

    def start_sshd(self, where: Namespace | None = None, *options: str) -> Running:
        written = self.folder / "sshd.log"
        said = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        with Path(os.devnull).open() as nothing:
            argv = ["/usr/bin/unshare", "-m", "sh", "-c", START, "sshd", str(self.folder), SSHD, *options]
            running = (where or self.lab.namespace(self.lab.target)).start(argv, (nothing.fileno(), said, said))
        os.close(said)
        deadline = time.monotonic() + 10
        while "Server listening" not in (log := written.read_text()):
            ended = select.select([running.fileno()], (), (), 0.01)[0]
            assert not ended, log
            assert time.monotonic() < deadline, log
        return running

    def start(self, *arguments: str, env: dict[str, str] | None = None) -> tuple[Running, Callable[[], Done]]:
        """Start a pytest run at the client; the second value waits for its end."""
        self.runs += 1
        report, output = self.folder / f"report{self.runs}", self.folder / f"output{self.runs}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("HDP_", "PYTEST_"))}
        argv = [
            sys.executable, "-mpytest", "-pno:cacheprovider", "-pno:hypothesispytest",
            f"--hdp-report={report}", *arguments,
        ]  # fmt: skip
        with Path(os.devnull).open() as nothing, output.open("w") as written:
            descriptors = nothing.fileno(), written.fileno(), written.fileno()
            running = self.client.start(argv, descriptors, env={**environment, **(env or {})}, cwd=str(TOP))

        @functools.cache
        def wait() -> Done:
            status = running.wait()
            results = report / "results.jsonl"
            lines = results.read_text().splitlines() if results.exists() else []
            records = {(r["protocol"], r["direction"]): r for r in map(json.loads, lines)}
            return Done(status, output.read_text(), records)

        return running, wait

    def wait_for_results(self) -> None:
        """Until the run that was started last has settled something."""
        results = self.folder / f"report{self.runs}" / "results.jsonl"
        wait_until(lambda: results.exists() and "\n" in results.read_text(), 120)

    def run(self, *arguments: str, env: dict[str, str] | None = None) -> Done:
        return self.start(*arguments, env=env)[1]()

    def agents(self) -> list[int]:
        """The far processes of agents at this lab's target, none of anybody else's."""
        here = Path(self.lab.namespace_path(self.lab.target)).stat().st_ino
        return [each for each in processes("an agent needs 3.8") if namespace_of(each) == here]

    def raw_sockets(self) -> int:
        """Raw and packet sockets at the target."""
        status, printed = self.lab.namespace(self.lab.target).run(["/bin/cat", "/proc/net/raw", "/proc/net/packet"])
        assert status == 0
        return len([line for line in printed.splitlines() if not line.lstrip().startswith(("sl", "sk"))])

    def sweep(self, agent: str, *arguments: str) -> Done:
        return self.run(SWEEP, f"--hdp-target={self.address}", f"--hdp-agent={agent}", *arguments)

    def write_files(self) -> None:
        for name in ("host_key", "user_key"):
            keygen("-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name))
        public = (self.folder / "host_key.pub").read_text()
        files = {
            "authorized_keys": (self.folder / "user_key.pub").read_text(),
            "known_hosts": f"{','.join(self.known)} {public}",
            "sshd_config": SSHD_CONFIG.format(folder=self.folder),
            "ssh_config": SSH_CONFIG.format(folder=self.folder),
            "sudoers": f"Defaults use_pty\nroot ALL=(ALL) ALL\n{SUDO_USER} ALL=(ALL) NOPASSWD: ALL\n"
            f"{ASKED_USER} ALL=(ALL) ALL\n",
            "passwd": Path("/etc/passwd").read_text()
            + "".join(f"{user}:x:{4711 + n}:{4711 + n}::/:/bin/sh\n" for n, user in enumerate(USERS)),
            "group": Path("/etc/group").read_text()
            + "".join(f"{user}:x:{4711 + n}:\n" for n, user in enumerate(USERS)),
            "shadow": Path("/etc/shadow").read_text() + "".join(f"{user}:*:19000::::::\n" for user in USERS),
        }
        for name, text in files.items():
            (self.folder / name).write_text(text)
        (self.folder / "sudoers").chmod(0o440)
        (self.folder / "shadow").chmod(0o640)
        (self.folder / "authorized_keys").chmod(0o644)


def keygen(*arguments: str) -> None:
    subprocess.run(["ssh-keygen", *arguments], check=True, stdin=subprocess.DEVNULL)


def processes(needle: str) -> list[int]:
    """The processes whose command line holds this text."""
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdecimal():
            try:
                words = (each / "cmdline").read_bytes()
            except OSError:
                continue
            if needle.encode() in words:
                found.append(int(each.name))
    return found


def namespace_of(process: int) -> int:
    """The inode of its network namespace, 0 if it is gone."""
    try:
        return Path(f"/proc/{process}/ns/net").stat().st_ino
    except OSError:
        return 0


def wait_until(condition: Callable[[], bool], seconds: float) -> float:
    """Seconds until the condition held; fails after so many."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it has not happened"
        time.sleep(0.005)
    return time.monotonic() - began
