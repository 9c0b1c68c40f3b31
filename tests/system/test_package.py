"""The Debian package: what it holds, what lintian says of it, and its life in a fresh Debian."""

import gzip
import re
import shutil

import pytest

import harness
import machine

PROGRAMS = ("oblogger", "obrebuild", "obmanage", "obaudit")
NEWER = "9.9.9-1"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    machine.need("cpack", "dpkg-deb", "dpkg-shlibdeps", "file")
    return machine.build_package(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def unpacked(package, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    done = machine.run("dpkg-deb", "-x", package, folder)
    assert done.returncode == 0, done.stderr
    return folder


def version():
    return machine.run(harness.BUILD / "oblogger", "--version").stdout.split()[-1]


def test_it_is_named_and_versioned_as_the_program(package):
    assert package.name == f"oblogger_{version()}_amd64.deb"
    assert machine.field(package, "Version") == f"{version()}-1"


def test_it_depends_on_the_libraries_that_are_linked(package):
    depends = machine.field(package, "Depends")
    for library in ("liblmdb0", "libmongoc-1.0-0", "libsimdjson", "libsystemd0", "libwebsockets"):
        assert library in depends
    assert "-dev" not in depends and "cmocka" not in depends


def test_everything_is_where_debian_expects_it(unpacked):
    for program in PROGRAMS:
        assert (unpacked / "usr/bin" / program).stat().st_mode & 0o777 == 0o755
        page = gzip.decompress((unpacked / f"usr/share/man/man1/{program}.1.gz").read_bytes())
        assert page.decode() == machine.run(harness.BUILD / program, "--man").stdout
        assert (unpacked / "usr/share/bash-completion/completions" / program).exists()
    unit = (unpacked / "usr/lib/systemd/system/oblogger.service").read_text()
    assert unit == (harness.ROOT / "systemd/oblogger.service").read_text()
    users = (unpacked / "usr/lib/sysusers.d/oblogger.conf").read_text()
    assert users == (harness.ROOT / "systemd/oblogger.sysusers").read_text()
    assert (unpacked / "usr/lib/oblogger/oblogger_mongo.so").exists()
    documents = unpacked / "usr/share/doc/oblogger"
    log = gzip.decompress((documents / "changelog.Debian.gz").read_bytes()).decode()
    assert log.startswith(f"oblogger ({version()}-1) ")


def test_its_copyright_is_the_licence(unpacked):
    text = (unpacked / "usr/share/doc/oblogger/copyright").read_text()
    words = " ".join(line.strip(" .") for line in text.split("License: MIT\n")[-1].splitlines())
    licence = (harness.ROOT / "LICENSE").read_text()
    wanted = " ".join(line.strip(" .") for line in licence.split("\n\n", 2)[2].splitlines())
    assert words.split() == wanted.split()


def test_its_settings_are_the_examples_without_those_of_the_unit(unpacked):
    def values(text):
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        return dict(line.split("=", 1) for line in lines)

    path = unpacked / "etc/oblogger/vars.env"
    unit = (harness.ROOT / "systemd/oblogger.service").read_text()
    given = set(re.findall(r"^Environment=(\w+)=", unit, re.M))
    example = values((harness.ROOT / "vars.env.example").read_text())
    assert values(path.read_text()) == {
        name: value for name, value in example.items() if name not in given
    }
    for name in given & set(example):
        assert f"\n#{name}=" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o640


def test_lintian_finds_no_error(package):
    machine.need("lintian")
    done = machine.run("lintian", "--no-cfg", "--allow-root", "--fail-on", "error", package)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "E: " not in done.stdout


# ---- its life, without a running systemd ----


class Root:
    """A Debian to change at will."""

    def __init__(self, folder):
        self.folder = folder

    def do(self, *command):
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"}
        return machine.run("chroot", self.folder, *command, env=environment)

    def ok(self, *command):
        done = self.do(*command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def install(self, package):
        shutil.copy(package, self.folder / "opt/oblogger.deb")
        return self.ok("dpkg", "--force-confold", "-i", "/opt/oblogger.deb")

    def path(self, inside):
        return self.folder / inside.lstrip("/")

    def mode(self, path):
        return self.ok("stat", "-c", "%U:%G %a", path).strip()


@pytest.fixture
def root(package, tmp_path):
    machine.need("chroot", "mmdebstrap")
    below, top = machine.root_for(package), tmp_path / "root"
    top.mkdir()
    for command in (
        f"mount -t tmpfs tmpfs {tmp_path}/root",
        f"mkdir {top}/up {top}/work {top}/root",
        f"mount -t overlay -o lowerdir={below},upperdir={top}/up,workdir={top}/work o {top}/root",
    ):
        done = machine.run(*command.split())
        if done.returncode:
            machine.run("umount", "-l", top)
            pytest.skip("an overlay cannot be mounted here: " + done.stderr.strip())
    yield Root(top / "root")
    machine.run("umount", top / "root")
    machine.run("umount", "-l", top)


def test_install_upgrade_remove_purge(package, root, tmp_path):
    newer = machine.newer_package(package, tmp_path, NEWER)
    root.install(package)
    assert root.ok("getent", "passwd", "oblogger").endswith(":/usr/sbin/nologin\n")
    assert root.mode("/etc/oblogger/vars.env") == "root:oblogger 640"
    assert root.mode("/etc/oblogger/secrets") == "root:root 700"
    assert version() in root.ok("oblogger", "--version")
    assert "are valid" in root.ok(
        "sh", "-c", "SYMBOLS=binance:BTCUSDT oblogger --env-file /etc/oblogger/vars.env --check"
    )
    links = root.do("find", "/etc/systemd/system", "-name", "oblogger*").stdout
    assert links == "", "it is not enabled by itself"

    settings = root.path("/etc/oblogger/vars.env")
    settings.write_text(settings.read_text() + "RECORDER=mine\n")
    root.path("/etc/oblogger/secrets/COINBASE_API_KEY").write_text("key\n")
    record = root.path("/var/lib/oblogger/meta")
    record.mkdir(parents=True)
    root.install(newer)
    assert root.ok("dpkg-query", "-W", "-f", "${Version}", "oblogger").strip() == NEWER
    assert settings.read_text().endswith("RECORDER=mine\n"), "an upgrade keeps the settings"
    assert root.mode("/etc/oblogger/vars.env") == "root:oblogger 640"

    root.ok("dpkg", "-r", "oblogger")
    assert not root.path("/usr/bin/oblogger").exists()
    assert settings.exists(), "who removes it may want it again"
    said = root.ok("dpkg", "-P", "oblogger")
    assert not root.path("/etc/oblogger").exists()
    assert record.is_dir(), "a record is never deleted"
    assert "the record in /var/lib/oblogger is kept" in said
