#!/usr/bin/env python3
"""Get the sources that the firmware is built from, at the versions pinned below.

    tools/get_sources.py [--version 1.26.1] [--for PORT] [--dest DIR]

prints the path of a MicroPython tree in which the ports rp2 and unix, and mpy-cross, build. What
is there already is used; otherwise the first of these ways that works:

1. MICROPYTHON_DIR (and PICO_SDK_PATH, if the SDK is elsewhere): trees of yours, left untouched.
   Each port asks for what it builds from, and no more.
2. Debian's source packages, from the mirror that this machine already uses. No root needed.
3. git, from the projects' own repositories.

The port esp32 builds from two more, which Debian leaves out: git gets them when it is built first.
"""

import argparse
import functools
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from common import BUILD, Progress, ToolError, locked, run_main


@dataclass(frozen=True)
class Release:
    """A version of MicroPython, what it builds with, and the release of Debian that has all."""

    micropython: str
    suite: str
    pico_sdk: str
    tinyusb: str = "0.18.0"
    mbedtls: str = "3.6"
    # What Debian leaves out of the sources, by the commits that they name.
    berkeley_db: str = "85373b548f1fb0119a463582570b44189dfb09ae"
    micropython_lib: str = "5b496e944ec045177afa1620920a168410b7f60b"

    @property
    def text(self):
        """All versions in words; what is got is known by it."""
        return (
            f"micropython {self.micropython}, pico-sdk {self.pico_sdk}, "
            f"tinyusb {self.tinyusb}, mbedtls {self.mbedtls}"
        )


RELEASES = {
    "1.25.0": Release("1.25.0", "trixie", "2.1.1"),
    "1.26.1": Release(
        *("1.26.1", "sid", "2.2.0"),
        berkeley_db="0f3bb6947c2f57233916dccd7bb425d7bf86e5a6",
        micropython_lib="34c4ee1647ac4b177ae40adf0ec514660e433dc0",
    ),
}
MICROPYTHON_VERSION = "1.25.0"  # unless another is asked for
MICROPYTHON_MINIMUM = (1, 25)  # the first with ROMFS

DEBIAN_SUITE = RELEASES[MICROPYTHON_VERSION].suite
DEBIAN_KNOWN_SUITES = ("bullseye", "bookworm", "trixie", "forky", "sid", "oldstable", "stable")
GIT_REPOSITORY = "https://github.com/micropython/micropython.git"
GIT_SUBMODULES = ("lib/pico-sdk", "lib/tinyusb", "lib/mbedtls")
BERKELEY_DB, MICROPYTHON_LIB = "lib/berkeley-db-1.xx", "lib/micropython-lib"
GIT_EXTRAS = {
    BERKELEY_DB: "https://github.com/micropython/berkeley-db-1.xx.git",
    MICROPYTHON_LIB: "https://github.com/micropython/micropython-lib.git",
}
# A file or folder of each part: where it is, the part is.
PARTS = {
    "lib/tinyusb": "src/tusb.h",
    "lib/mbedtls": "library/aes.c",
    BERKELEY_DB: "btree/bt_open.c",
    MICROPYTHON_LIB: "micropython/mip",
}
# The parts without which a port does not build; pico-sdk is sdk_for()'s.
NEEDED = {"rp2": ("lib/tinyusb", "lib/mbedtls"), "esp32": (BERKELEY_DB,)}


def micropython_dir(dest=None, version=MICROPYTHON_VERSION):
    """Return the path of a MicroPython tree; get it first if it is not there."""
    given = os.environ.get("MICROPYTHON_DIR")
    if given:
        tree = Path(given).expanduser().resolve()
        found = version_of(tree)
        if found[:2] < MICROPYTHON_MINIMUM:
            raise ToolError(
                f"MICROPYTHON_DIR={tree} is version {'.'.join(map(str, found))}, "
                f"need {'.'.join(map(str, MICROPYTHON_MINIMUM))} or later"
            )
        return tree
    release = RELEASES[version]
    name = "sources" if version == MICROPYTHON_VERSION else f"sources-{version}"
    dest = Path(dest or BUILD / name).resolve()
    tree = dest / "micropython"
    stamp = tree / ".motionlet-sources"
    with locked(dest / ".lock"):
        if not (stamp.exists() and stamp.read_text() == release.text):
            _get(dest, tree, release)
    return tree


def sdk_for(port, tree):
    """Return pico-sdk's path, or None where a port wants none; see that all it wants is there.

    Raises ToolError that names what is missing, and how to get it.
    """
    ours = (tree / ".motionlet-sources").exists()
    if port == "esp32" and ours:
        _get_extras(tree)
    for part in NEEDED.get(port, ()):
        if not (tree / part / PARTS[part]).exists():
            raise ToolError(
                f"{tree / part}: missing, {port} builds from it; in MICROPYTHON_DIR: "
                f"git submodule update --init {part}"
            )
    if port != "rp2":
        return None
    given = os.environ.get("PICO_SDK_PATH") if not ours else None
    sdk = Path(given or tree / "lib/pico-sdk").expanduser().resolve()
    if not (sdk / "pico_sdk_init.cmake").exists():
        raise ToolError(
            f"{sdk / 'pico_sdk_init.cmake'}: missing; in MICROPYTHON_DIR: set PICO_SDK_PATH, or "
            f"git submodule update --init lib/pico-sdk"
        )
    return sdk


def has_micropython_lib(tree):
    """Whether the packages are there that the ports' own manifests freeze."""
    return (tree / MICROPYTHON_LIB / PARTS[MICROPYTHON_LIB]).exists()


def _get_extras(tree):
    """Get what Debian's sources lack with git; raise ToolError if what is NEEDED cannot be had."""
    release = RELEASES[".".join(map(str, version_of(tree)))]
    commits = {BERKELEY_DB: release.berkeley_db, MICROPYTHON_LIB: release.micropython_lib}
    for part, url in GIT_EXTRAS.items():
        if (tree / part / PARTS[part]).exists():
            continue
        with locked(tree.parent / ".lock"), Progress(f"sources, {part}") as progress:
            progress.update(0, "git fetch")
            work = Path(tempfile.mkdtemp(prefix=".get-", dir=tree.parent))
            try:
                _need_git()
                _git("init", "-q", work / "new")
                _git("-C", work / "new", "fetch", "-q", "--depth", "1", url, commits[part])
                _git("-C", work / "new", "checkout", "-q", "FETCH_HEAD")
                _replace(tree / part, work / "new")
            except ToolError as error:
                if part not in NEEDED["esp32"]:
                    continue  # what the build lacks then, it says
                raise ToolError(
                    f"cannot get {part}, which the esp32 port builds from: {error}; or set "
                    f"MICROPYTHON_DIR to a tree with its submodules"
                ) from None
            finally:
                shutil.rmtree(work, ignore_errors=True)
            progress.update(100, "fetched")


def version_of(tree):
    """The version of a MicroPython tree, such as (1, 25, 0)."""
    header = tree / "py/mpconfig.h"
    if not header.exists():
        raise ToolError(f"{tree}: not a MicroPython source tree (no py/mpconfig.h)")
    found = re.findall(r"#define MICROPY_VERSION_(?:MAJOR|MINOR|MICRO) (\d+)", header.read_text())
    return tuple(int(number) for number in found[:3])


def _get(dest, tree, release):
    reasons = []
    for way in (_from_debian, _from_git):
        work = Path(tempfile.mkdtemp(prefix=".get-", dir=dest))
        try:
            with Progress("sources") as progress:
                new = way(work, progress, release)
            _complete(new, release)
            if tree.exists():
                shutil.rmtree(tree)
            new.rename(tree)
            return
        except ToolError as error:
            reasons.append(str(error))
        finally:
            shutil.rmtree(work, ignore_errors=True)
    raise ToolError(
        f"cannot get the sources ({release.text}): {'; '.join(reasons)}; or set MICROPYTHON_DIR"
    )


def _complete(tree, release):
    """Finish a tree: what the builds look for beyond the sources themselves."""
    version = ".".join(map(str, version_of(tree)))
    if version != release.micropython:
        raise ToolError(f"got MicroPython {version}, want {release.micropython}")
    for submodule in ("lib/pico-sdk", "lib/micropython-lib"):
        # The build only asks whether this file is there, to see that the submodule is.
        (tree / submodule).mkdir(exist_ok=True)
        (tree / submodule / "README.md").touch()
    (tree / ".motionlet-sources").write_text(release.text)


# Debian


def _from_debian(work, progress, release):
    prepare_apt(work, release.suite)
    apt = functools.partial(apt_get, work, progress)
    apt(0, 40, "reading the package lists", "update")
    apt(40, 70, "micropython, mbedtls", "source", "--download-only", "micropython", "mbedtls")
    apt(70, 80, "pico-sdk, tinyusb", "download", "pico-sdk-source", "tinyusb-source")

    progress.update(80, "unpacking")
    tree = work / "micropython"
    _untar(_one(work, f"micropython_{release.micropython}*.orig.tar.*"), tree)
    _replace(tree / "lib/mbedtls", _untar(_one(work, f"mbedtls_{release.mbedtls}.*.orig.tar.*")))
    sdk = _undeb(_one(work, f"pico-sdk-source_{release.pico_sdk}*.deb")) / "usr/src/pico-sdk"
    usb = _undeb(_one(work, f"tinyusb-source_{release.tinyusb}*.deb")) / "usr/src/tinyusb"
    _replace(tree / "lib/pico-sdk", sdk)
    _replace(tree / "lib/tinyusb", usb)
    _replace(tree / "lib/pico-sdk/lib/tinyusb", None)
    (tree / "lib/pico-sdk/lib/tinyusb").symlink_to("../../tinyusb")
    progress.update(100, "unpacked")
    return tree


def prepare_apt(work, suite=DEBIAN_SUITE):
    """Make `work` a place where apt_get() keeps its state, apart from this machine's own."""
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise ToolError(f"Debian packages: no {program} here")
    (work / "apt/lists/partial").mkdir(parents=True)
    (work / "apt/cache/archives/partial").mkdir(parents=True)
    (work / "apt/status").touch()  # nothing is installed: what a package needs comes along
    (work / "apt/motionlet.sources").write_text(debian_sources(suite=suite))


def debian_sources(etc=Path("/etc/apt"), suite=DEBIAN_SUITE):
    """A sources list for a release of Debian from the mirrors in this machine's own lists."""
    entries = []
    for path in sorted(etc.glob("sources.list.d/*.sources")):
        entries += _parse_deb822(path.read_text())
    for path in [etc / "sources.list", *sorted(etc.glob("sources.list.d/*.list"))]:
        if path.exists():
            entries += _parse_one_line(path.read_text())
    for uri, known, components, signed_by in entries:
        if known in DEBIAN_KNOWN_SUITES and "main" in components:
            stanza = f"Types: deb deb-src\nURIs: {uri}\nSuites: {suite}\nComponents: main\n"
            return stanza + (f"Signed-By: {signed_by}\n" if signed_by else "")
    raise ToolError(f"Debian packages: no Debian mirror in {etc}")


def _parse_deb822(text):
    """(uri, suite, components, signed-by) of every entry of a .sources file."""
    entries = []
    for stanza in re.split(r"\n\s*\n", text):
        lines = [line for line in stanza.splitlines() if not line.startswith("#")]
        # A line that starts with a space continues the field above it (an inline key, say).
        fields = re.findall(r"^(\S+?):[ \t]*(.*(?:\n[ \t].*)*)", "\n".join(lines), re.MULTILINE)
        fields = {name.lower(): value.strip() for name, value in fields}
        if fields.get("enabled", "yes").lower() == "no":
            continue
        signed_by = fields.get("signed-by", "")
        if "\n" in signed_by:  # an inline key: its continuation lines need their indent back
            signed_by = "\n" + "\n".join(f" {line.strip()}" for line in signed_by.splitlines())
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                entries.append((uri, suite, fields.get("components", "").split(), signed_by))
    return entries


def _parse_one_line(text):
    """The same for the one-line format: deb [signed-by=…] uri suite component…"""
    entries = []
    for line in text.splitlines():
        found = re.match(r"\s*deb(?:-src)?\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s+([^#]*)", line)
        if found:
            options, uri, suite, components = found.groups()
            signed_by = re.search(r"signed-by=(\S+)", options or "")
            signed_by = signed_by.group(1) if signed_by else ""
            entries.append((uri, suite, components.split(), signed_by))
    return entries


def apt_get(work, progress, start, end, text, *command):
    """Run apt-get with state of its own, showing its progress between start and end percent."""
    progress.update(start, text)
    read, write = os.pipe()
    options = {
        "Dir::Etc::sourcelist": work / "apt/motionlet.sources",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::Lists": work / "apt/lists",
        "Dir::State::status": work / "apt/status",
        "Dir::Cache": work / "apt/cache",
        "Dir::Log": work / "apt",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "APT::Install-Recommends": "false",
        "APT::Update::Error-Mode": "any",
        "APT::Status-Fd": write,
    }
    if os.geteuid() == 0:
        options["APT::Sandbox::User"] = "root"  # the directory is ours, not the user _apt's
    arguments = ["apt-get", "-q"]
    for name, value in options.items():
        arguments += ["-o", f"{name}={value}"]
    with open(work / "apt.log", "w+") as log:
        process = subprocess.Popen(
            [*arguments, *command],
            cwd=work,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[write],
            env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
        )
        os.close(write)
        with open(read, errors="replace") as status:
            for line in status:
                fields = line.split(":")
                if fields[0] == "dlstatus" and len(fields) > 2:
                    progress.update(start + (end - start) * float(fields[2]) / 100, text)
        if process.wait() != 0:
            log.seek(0)
            errors = [line.strip() for line in log if line.startswith("E: ")]
            reason = errors[0][3:] if errors else f"exit status {process.returncode}"
            raise ToolError(f"Debian packages: apt-get {command[0]}: {reason}")


def _one(directory, pattern):
    found = sorted(directory.glob(pattern))
    if len(found) != 1:
        have = ", ".join(path.name for path in directory.iterdir() if path.is_file())
        raise ToolError(f"Debian packages: want one {pattern}, got {have}")
    return found[0]


def _untar(archive, target=None):
    """Unpack a tar archive, without its single top directory; return where."""
    target = target or archive.with_name(archive.name + ".dir")
    inside = archive.with_name(archive.name + ".tmp")
    try:
        with tarfile.open(archive) as tar:
            if hasattr(tarfile, "data_filter"):
                tar.extractall(inside, filter="data")
            else:
                tar.extractall(inside)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ToolError(f"Debian packages: {archive.name}: {error}") from None
    (top,) = inside.iterdir()
    top.rename(target)
    return target


def _undeb(archive):
    target = archive.with_suffix(".dir")
    done = subprocess.run(["dpkg-deb", "-x", archive, target], capture_output=True, text=True)
    if done.returncode:
        raise ToolError(f"Debian packages: {archive.name}: {done.stderr.strip()}")
    return target


def _replace(target, new):
    """Put the directory `new` (None: nothing) in place of `target`."""
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    elif target.is_symlink():
        target.unlink()
    target.parent.mkdir(parents=True, exist_ok=True)
    if new:
        new.rename(target)


# git


def _need_git():
    if shutil.which("git") is None:
        raise ToolError("git: not found; apt-get install git")


def _from_git(work, progress, release):
    _need_git()
    tree = work / "micropython"
    shallow = ("--depth", "1")
    tag = f"v{release.micropython}"
    progress.update(0, f"git clone, tag {tag}")
    _git("clone", "-q", *shallow, "--branch", tag, GIT_REPOSITORY, tree)
    # That tag's submodules are the versions above, except the SDK's own tinyusb, not used.
    for index, submodule in enumerate(GIT_SUBMODULES):
        progress.update(40 + 20 * index, submodule)
        _git("-C", tree, "submodule", "-q", "update", "--init", *shallow, submodule)
    progress.update(100, "cloned")
    return tree


def _git(*arguments):
    # Give up on a dead connection instead of waiting, and never ask for a password.
    limits = ("-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=20")
    done = subprocess.run(
        ["git", *limits, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise ToolError(f"git {arguments[0]}: {lines[-1]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--version", choices=RELEASES, default=MICROPYTHON_VERSION)
    parser.add_argument(
        "--for", dest="port", default="rp2", help="a port, whose sources must be there (rp2)"
    )
    parser.add_argument("--dest", type=Path, help="where to keep them (build/sources)")
    args = parser.parse_args()
    tree = micropython_dir(args.dest, args.version)
    sdk_for(args.port, tree)
    print(tree)


if __name__ == "__main__":
    run_main(main)
