"""Two hosts on one machine: network namespaces with an address each, joined by a cable that can be cut."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Host(NamedTuple):
    """A host.

    Attributes:
        name: of its network namespace.
        link: its network interface.
        address: of that.
    """

    name: str
    link: str
    address: str

    def command(self, *words: str) -> list[str]:
        """A command that runs on this host."""
        return ["ip", "netns", "exec", self.name, *words]

    def set_link(self, state: str) -> None:
        """Plug the cable in (``up``) or out (``down``)."""
        ip("-n", self.name, "link", "set", self.link, state)

    def processes(self) -> list[int]:
        """The process ids on this host."""
        return [int(pid) for pid in ip("netns", "pids", self.name).split()]

    def lose_power(self) -> None:
        """Cut the cable and kill all processes, which so can say nothing to anyone."""
        self.set_link("down")
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)


def ip(*words: str) -> str:
    """What ``ip`` of iproute2 prints.

    Raises:
        CalledProcessError: if it refuses.
    """
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=True).stdout


@contextmanager
def two_hosts() -> Iterator[list[Host]]:
    """Two hosts with a cable between them.

    Raises:
        OSError: if there is no ``ip``.
        CalledProcessError: if namespaces aren't allowed.
    """
    hosts = [Host(f"litmlp-{os.getpid()}-{end}", f"litmlp{end}", f"10.77.0.{end + 1}") for end in range(2)]
    made: list[Host] = []
    try:
        for host in hosts:
            ip("netns", "add", host.name)
            made.append(host)
        first, second = hosts
        ends = [[word, host.link, "netns", host.name] for word, host in (("name", first), ("name", second))]
        ip("link", "add", *ends[0], "type", "veth", "peer", *ends[1])
        for host in hosts:
            ip("-n", host.name, "addr", "add", f"{host.address}/24", "dev", host.link)
            ip("-n", host.name, "link", "set", "lo", "up")
            host.set_link("up")
        yield hosts
    finally:
        for host in made:
            for pid in host.processes():
                os.kill(pid, signal.SIGKILL)
            ip("netns", "del", host.name)
