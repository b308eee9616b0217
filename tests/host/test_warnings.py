"""The C core compiles without a warning, strictest settings included, by every compiler here."""

import shutil
import subprocess

import pytest
import toolchains

from host_sdk import paths
from host_sdk.format.mlet import TARGETS

MODULE = paths.repository() / "native_modules/motionlet"
FLAGS = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
COMPILERS = {
    "gcc": ["gcc"],
    "clang": ["clang"],
    "arm": ["arm-none-eabi-gcc", "-mcpu=cortex-m0plus", "-mthumb"],
    "xtensa": ["xtensa-esp32s3-elf-gcc"],
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_no_warnings(compiler, target, tmp_path):
    command = COMPILERS[compiler]
    if compiler == "xtensa":
        command = [toolchains.need_xtensa() / command[0]]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    folders = [MODULE / "core"]
    if target != "portable":
        folders.append(MODULE / "arch" / target)
    sources = [path for folder in folders for path in sorted(folder.glob("*.c"))]
    assert len(sources) > 15
    options = [f"-DMLET_TARGET=MLET_TARGET_{target.upper()}", *(f"-I{f}" for f in folders)]
    done = subprocess.run(
        [*command, *FLAGS, *options, "-c", *sources],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
