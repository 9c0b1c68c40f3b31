"""Containers without a registry: a base image made by debootstrap, kept in the user's cache; podman
with a storage of its own there, so that nobody else's images are touched."""

import contextlib
import ctypes
import fcntl
import os
import pathlib
import shutil
import socket
import struct
import subprocess

import pytest

from harness import ROOT

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
STORAGE = CACHE / "oblogger" / "containers"
BASE = "localhost/oblogger-base"
TOOLS = "localhost/oblogger-tools"  # the stage of the Dockerfile
IMAGE = "localhost/oblogger-test"
CLONE_NEWNET, IFF_UP, SIOCSIFFLAGS = 0x40000000, 1, 0x8914


def require():
    """Leaves the test out where containers cannot be made."""
    if os.geteuid():
        pytest.skip("containers: needs root")
    for program in ("podman", "runc", "debootstrap"):
        if not shutil.which(program):
            pytest.skip(f"containers: {program} is not installed")


def podman(*arguments, expect=0, timeout=120):
    """What it prints; the exit code must be the one expected (None: any)."""
    done = subprocess.run(
        ["podman", "--root", STORAGE / "storage", "--runroot", "/run/oblogger-test", "--runtime"]
        + ["runc", "--cgroup-manager", "cgroupfs", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if expect is not None:
        said = (done.stdout + done.stderr)[-4000:]
        assert done.returncode == expect, f"podman {arguments[0]}: {done.returncode}: {said}"
    return done


def mirror():
    """The first one that this machine's apt knows."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE)|$(RELEASE)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    sites = [line.split("|")[0] for line in listed if line.endswith("|bookworm")]
    if not sites:
        pytest.skip("containers: apt knows no mirror of Debian 12")
    return sites[0]


def make_base():
    """Debian's smallest system, with the sources of packages that this machine has."""
    root = STORAGE / "rootfs"
    shutil.rmtree(root, ignore_errors=True)
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", "bookworm", root, mirror()],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"containers: debootstrap failed: {done.stdout.splitlines()[-1:]}")
    (root / "etc/apt/sources.list").write_text("")
    for folder, pattern in (("sources.list.d", "debian*"), ("apt.conf.d", "99*")):
        for file in pathlib.Path("/etc/apt", folder).glob(pattern):
            shutil.copy(file, root / "etc/apt" / folder)
    if not list((root / "etc/apt/sources.list.d").iterdir()):
        shutil.copy("/etc/apt/sources.list", root / "etc/apt")
    archive = STORAGE / "rootfs.tar"
    subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)
    podman("import", archive, BASE)
    archive.unlink()
    shutil.rmtree(root)


def build(*options):
    done = podman(
        *("build", "--isolation", "chroot", "--format", "docker", "--build-arg", f"BASE={BASE}"),
        *("-f", ROOT / "docker" / "Dockerfile", *options, ROOT),
        expect=None,
        timeout=1200,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def make_image():
    """IMAGE, from the tree as it is. What does not change is kept for the next time."""
    STORAGE.mkdir(parents=True, exist_ok=True)
    with open(STORAGE / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if podman("image", "exists", BASE, expect=None).returncode:
            make_base()
        try:
            build("--target", "tools", "-t", TOOLS)
            build("-t", IMAGE)
        finally:
            podman("image", "prune", "-f")


@contextlib.contextmanager
def alone_on_loopback():
    """This process, and what it starts meanwhile, in a network that has a loopback and no more."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    if libc.unshare(CLONE_NEWNET):
        os.close(before)
        pytest.skip("containers: a network of one's own cannot be made here")
    try:
        with socket.socket() as door:
            fcntl.ioctl(door, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
        yield
    finally:
        assert libc.setns(before, CLONE_NEWNET) == 0
        os.close(before)
