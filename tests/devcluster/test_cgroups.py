"""Reading which control groups a machine has."""

from pathlib import Path

from devcluster.cgroups import Hierarchies, parse_mounts

VERSION_2 = "sysfs /sys sysfs rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n"
VERSION_1 = """\
tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/cpuset cgroup rw,relatime,cpuset 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup /sys/fs/cgroup/pids cgroup rw,relatime,pids 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0
"""
BOTH = VERSION_1 + "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n"
ROOT = Path("/sys/fs/cgroup")


def test_version_2() -> None:
    assert parse_mounts(VERSION_2) == Hierarchies(True, (ROOT,))


def test_version_1_finds_by_pids_and_counts_shared_hierarchies_once() -> None:
    names = ("pids", "cpu,cpuacct", "cpuset", "memory", "systemd")
    assert parse_mounts(VERSION_1) == Hierarchies(False, tuple(ROOT / name for name in names))


def test_version_1_wins_where_both_are_mounted_because_the_controllers_are_there() -> None:
    assert parse_mounts(BOTH) == parse_mounts(VERSION_1)


def test_a_machine_without_the_needed_controllers() -> None:
    assert parse_mounts("tmpfs /sys/fs/cgroup tmpfs rw 0 0\n") is None
    assert parse_mounts("cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n") is None
