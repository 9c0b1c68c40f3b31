"""A Debian 12 of its own for the tests of service and package: made once by mmdebstrap, kept in
${XDG_CACHE_HOME:-~/.cache}/oblogger, and booted by systemd-nspawn over a layer that is thrown away.
It shares the network's loopback with this machine, so that a laboratory can run outside."""

import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

import harness

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
SUITE = "bookworm"
PACKAGES = "systemd,systemd-sysv,dbus,procps"
SOURCES = ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list")
STATE = "/var/lib/oblogger"


def need(*tools):
    """Skips where the test cannot run, with the reason."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    for tool in tools:
        if not shutil.which(tool):
            pytest.skip(f"{tool} is missing; tools/setup --package installs it")


def run(*command, **more):
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, **more
    )


def build_package(folder, *options):
    """The package of the build that is tested, made in @folder."""
    done = run("cpack", "-G", "DEB", "-B", folder, *options, cwd=harness.BUILD)
    assert done.returncode == 0, done.stdout + done.stderr
    (package,) = pathlib.Path(folder).glob("*.deb")
    return package


def newer_package(package, folder, version):
    """The same package under a higher version."""
    for command in (
        ("dpkg-deb", "-R", package, folder / "tree"),
        ("sed", "-i", f"s/^Version:.*/Version: {version}/", folder / "tree/DEBIAN/control"),
        ("dpkg-deb", "-Znone", "-b", folder / "tree", folder / "newer.deb"),
    ):
        done = run(*command)
        assert done.returncode == 0, done.stderr
    return folder / "newer.deb"


def field(package, name):
    return run("dpkg-deb", "-f", package, name).stdout.strip()


def make_root(folder, depends):
    sources = next((path for path in SOURCES if os.path.exists(path)), None)
    if not sources:
        pytest.skip("no list of package mirrors to make a Debian root from")
    part = folder.with_name(f"{folder.name}.{os.getpid()}")
    done = run(
        "mmdebstrap",
        "--variant=minbase",
        f"--include={PACKAGES},{depends}",
        "--mode=root",
        SUITE,
        part,
        sources,
    )
    if done.returncode:
        shutil.rmtree(part, ignore_errors=True)
        pytest.skip("mmdebstrap could not make a Debian root: " + done.stderr.strip()[-300:])
    (part / "etc/machine-id").write_text("")
    (part / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    part.rename(folder)


def root_for(package):
    """A root in which everything that the package depends on is installed, and not the package."""
    need("mmdebstrap")
    names = [choice.split("|")[0].split()[0] for choice in field(package, "Depends").split(",")]
    depends = ",".join(sorted(set(names)))
    mark = hashlib.sha256((PACKAGES + depends).encode()).hexdigest()[:12]
    folder = CACHE / "oblogger" / f"{SUITE}-{mark}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / f"{SUITE}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            make_root(folder, depends)
    return folder


class Machine:
    """A booted system; what is changed in it goes with it."""

    def __init__(self, root, log):
        need("systemd-nspawn", "nsenter")
        self.log = pathlib.Path(log)
        command = [
            "systemd-nspawn",
            "-q",
            "-D",
            root,
            "--volatile=overlay",
            "-b",
            "--register=no",
            "-M",
            f"oblogger-{os.getpid()}",
            "--console=pipe",
            "--kill-signal=SIGRTMIN+3",
        ]
        if not os.path.isdir("/run/systemd/system"):
            command.append("--keep-unit")
        self.file = open(self.log, "wb")
        self.child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.file, stderr=self.file
        )
        self.leader = None
        try:
            self.boot()
        except BaseException:
            self.end()
            raise

    def boot(self):
        children = pathlib.Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children")
        until = time.monotonic() + 30
        while time.monotonic() < until and self.child.poll() is None:
            found = children.read_text().split()
            if found:
                self.leader = int(found[0])
                if self.do("systemctl", "is-system-running").stdout.strip() == "running":
                    return
            time.sleep(0.1)
        said = self.log.read_text(errors="replace").strip()
        pytest.skip("systemd-nspawn cannot boot here: " + said[-300:])

    def do(self, *command, **more):
        """Runs it inside."""
        inside = ["nsenter", "-t", self.leader, "-m", "-u", "-i", "-n", "-p", "-C"]
        return run(*inside, *command, timeout=60, **more)

    def ok(self, *command, **more):
        done = self.do(*command, **more)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}\n{self.journal_text()}"
        return done.stdout

    def path(self, inside):
        """The place of a file of the machine, seen from outside."""
        return pathlib.Path(f"/proc/{self.leader}/root") / str(inside).lstrip("/")

    def show(self, name):
        return self.ok("systemctl", "show", "-P", name, "oblogger").strip()

    def main_pid(self):
        return int(self.show("MainPID"))

    def journal(self, *options):
        """The unit's lines, oldest first, as objects."""
        text = self.ok("journalctl", "-u", "oblogger", "-o", "json", "--no-pager", *options)
        return [json.loads(line) for line in text.splitlines()]

    def journal_text(self):
        return self.do("journalctl", "-u", "oblogger", "--no-pager", "-n", "40").stdout

    def said(self, text, pid=None):
        """Has the unit said so, or that process of it?"""
        lines = self.journal(*([f"_PID={pid}"] if pid else []))
        return any(text in str(line["MESSAGE"]) for line in lines)

    def wait_said(self, text, seconds=20, pid=None):
        try:
            harness.wait_until(lambda: self.said(text, pid), seconds, f"it says {text!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.journal_text()}") from None

    def install(self, package):
        """dpkg's own words."""
        self.path("/opt/oblogger.deb").write_bytes(pathlib.Path(package).read_bytes())
        return self.ok("dpkg", "-i", "/opt/oblogger.deb")

    def set(self, **settings):
        """Lines of /etc/oblogger/vars.env; None takes one away."""
        path = self.path("/etc/oblogger/vars.env")
        kept = [
            line
            for line in path.read_text().splitlines()
            if line.split("=", 1)[0] not in settings
        ]
        added = [f"{name}={value}" for name, value in settings.items() if value is not None]
        path.write_text("\n".join(kept + added) + "\n")

    def end(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.file.close()
