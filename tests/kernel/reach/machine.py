"""A machine within this one, for containers: namespaces of its own for network, mounts and processes.

All that runs in it ends with it, its folders for state are its own, and no interface of this machine is there.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Self

TOP = Path(__file__).parents[3]
USER = 4720
USUAL = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# crun takes no mixture of cgroups' versions. What is written to /etc, /run and the like is this machine's alone.
START = r"""
set -e
mount --make-rprivate /
umount /sys/fs/cgroup/unified 2>/dev/null || :
for each in /run /dev/shm /var/tmp /var/lib/lxc /dev/net; do
  [ ! -d $each ] || mount -t tmpfs -o mode=755 none $each
done
chmod 1777 /var/tmp /dev/shm
[ ! -d /dev/net ] || mknod -m 666 /dev/net/tun c 10 200
mkdir /run/upper /run/work
mount -t overlay none -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work /etc
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
echo "boxer:x:4720:4720::/run/boxer:/bin/sh" >>/etc/passwd
echo "boxer:x:4720:" >>/etc/group
for each in subuid subgid; do echo "boxer:200000:65536" >/etc/$each; done
mkdir -p /run/boxer /run/user/4720 /run/docker
echo '{}' >/run/docker/config.json
chmod 755 /run/docker
for root in /run/rootfs /run/boxer/rootfs; do
  mkdir -p $root/usr $root/etc $root/proc $root/sys $root/dev $root/tmp $root/run $root/root
  for each in bin lib lib64 sbin; do [ ! -L /$each ] || ln -s usr/$each $root/$each; done
  printf 'root:x:0:0:root:/root:/bin/sh\n' >$root/etc/passwd
done
chown -R 4720:4720 /run/boxer /run/user/4720
cat >/run/containers.conf <<X
[containers]
cgroups="disabled"
log_driver="none"
[engine]
cgroup_manager="cgroupfs"
events_logger="none"
runtime="crun"
lock_type="file"
X
cat >/run/storage.conf <<X
[storage]
driver="vfs"
graphroot="/run/graph"
runroot="/run/runroot"
X
exec python3 -Sc '
import signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whom nobody waits for is gone at once
print("there", flush=True)
sys.stdin.read()
'
"""
NAMESPACES = ("unshare", "-nmpf", "--kill-child", "--mount-proc")


class Machine:
    """Up as long as the context; ends with this process too, however that ends."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [*NAMESPACES, "bash", "-c", START], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "there\n"
        pid = self._process.pid
        (self.pid,) = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        self._process.wait()

    def start(self, *argv: str, user: bool = False, cwd: Path = TOP, **environment: str) -> subprocess.Popen[str]:
        """Start a program there, as root or as an ordinary user."""
        given = {
            "PATH": f"{os.environ['PATH']}:{USUAL}",
            "CONTAINERS_CONF": "/run/containers.conf",
            "LC_ALL": "C.UTF-8",
        }
        given |= {"DOCKER_HOST": "unix:///run/docker.socket", "DOCKER_CONFIG": "/run/docker", "PYTHONPATH": str(TOP)}
        given |= {"HOME": "/run/boxer", "XDG_RUNTIME_DIR": f"/run/user/{USER}"} if user else {
            "HOME": "/run", "CONTAINERS_STORAGE_CONF": "/run/storage.conf"
        }  # fmt: skip
        become = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups"] if user else []
        return subprocess.Popen(
            ["nsenter", "-t", str(self.pid), "-m", "-n", "-p", f"--wd={cwd}", "--", *become, *argv],
            env=given | environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, *argv: str, user: bool = False, fine: bool = True, **environment: str) -> str:
        """Run a program there, and return what it printed. `fine`: whether it has to end with status 0."""
        process = self.start(*argv, user=user, **environment)
        printed, _ = process.communicate(timeout=120)
        assert not fine or process.returncode == 0, f"{shlex.join(argv)}: {printed}"
        return printed

    def shell(self, script: str, user: bool = False) -> str:
        return self.run("bash", "-ec", script, user=user)

    def connected(self, *specs: str, user: bool = False, **environment: str) -> dict[str, str]:
        """What came of these vantage points, all tried by one process there."""
        script = Path(__file__).parents[1] / "ssh" / "connect.py"
        printed = self.run(sys.executable, str(script), *specs, user=user, **environment)
        found: dict[str, str] = json.loads(printed.splitlines()[-1])
        return found

    def processes(self, needle: str) -> list[int]:
        """The processes there, stand-ins aside, whose command line holds this text, by their numbers there."""
        code = (
            "import glob, sys\n"
            "for each in glob.glob('/proc/[0-9]*/cmdline'):\n"
            "    try:\n"
            "        words = open(each, 'rb').read()\n"
            "    except OSError:\n"
            "        continue\n"
            "    if sys.argv[1].encode() in words and b'glob.glob' not in words and b'stand_in' not in words:\n"
            "        print(each.split('/')[2])\n"
        )
        return list(map(int, self.run("python3", "-Sc", code, needle).split()))
