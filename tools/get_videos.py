#!/usr/bin/env python3
"""Get the film that the task `playback` is made of: vtest.avi, 8 MB, an example of OpenCV's.

    tools/get_videos.py [--dest DIR]

prints its path. What is there already is used; otherwise the first of these ways that works:

1. MOTIONLET_VIDEOS: a folder of yours in which it lies, such as samples/data of OpenCV's sources.
2. Debian's package opencv-doc, from the mirror that this machine already uses: about 100 MB are
   downloaded and that one file is kept. No root needed.

Debian ships it, like all of OpenCV's samples, under the Apache License 2.0. The scene is that of
the PETS 2009 benchmark (sequence S2.L1), whose terms you should read before you publish pictures
of it. Nothing of it is part of this project.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from common import BUILD, Progress, ToolError, locked, run_main
from get_sources import apt_get, prepare_apt

NAME = "vtest.avi"
SHA256 = "45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf"
PACKAGE = "opencv-doc"


def video(dest=None):
    """Return the film's path; get it first if it is not there."""
    dest = Path(dest or BUILD / "videos").resolve()
    path = dest / NAME
    with locked(dest / ".lock"):
        if path.exists():
            _check(path)
        else:
            given = os.environ.get("MOTIONLET_VIDEOS")
            if given:
                _keep(Path(given).expanduser() / NAME, path)
            else:
                _from_debian(path)
    return path


def _check(path):
    """Raise ToolError unless the file is the film that figures were measured with."""
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ToolError(f"{path}: {error.strerror}") from None
    if digest != SHA256:
        raise ToolError(f"{path} is another film: its SHA-256 is {digest}, not {SHA256}")


def _keep(found, path):
    """Check a file and put a copy of it at `path`, whole or not at all."""
    _check(found)
    partial = path.with_name(f".{NAME}")
    shutil.copyfile(found, partial)
    partial.replace(path)


def _from_debian(path):
    work = Path(tempfile.mkdtemp(prefix=".get-", dir=path.parent))
    try:
        with Progress("videos") as progress:
            prepare_apt(work)
            apt_get(work, progress, 0, 30, "reading the package lists", "update")
            apt_get(work, progress, 30, 90, PACKAGE, "download", PACKAGE)
            progress.update(90, "unpacking")
            _unpack(next(work.glob(f"{PACKAGE}_*.deb")), work / NAME)
            _keep(work / NAME, path)
            progress.update(100, "unpacked")
    except ToolError as error:
        raise ToolError(f"{error}; or set MOTIONLET_VIDEOS to a folder that has {NAME}") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _unpack(package, target):
    """Write the one file of a Debian package that is called NAME."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as deb:
        with tarfile.open(fileobj=deb.stdout, mode="r|") as tar:
            for member in tar:
                if member.isfile() and member.name.endswith(f"/{NAME}"):
                    target.write_bytes(tar.extractfile(member).read())
        deb.stdout.read()
    if deb.returncode or not target.exists():
        raise ToolError(f"{package.name}: no {NAME} in it")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dest", type=Path, help="where to keep it (build/videos)")
    print(video(parser.parse_args().dest))


if __name__ == "__main__":
    run_main(main)
