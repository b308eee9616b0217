"""The C core compiles without a warning, strictest settings included, by every compiler here."""

import shutil
import subprocess

import pytest

from host_sdk import paths

MODULE = paths.repository() / "native_modules/motionlet"
FOLDERS = [MODULE / "core", MODULE / "arch/cortex_m0plus"]
SOURCES = sorted(path for folder in FOLDERS for path in folder.glob("*.c"))
FLAGS = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
COMPILERS = {
    "gcc": ["gcc"],
    "clang": ["clang"],
    "arm": ["arm-none-eabi-gcc", "-mcpu=cortex-m0plus", "-mthumb"],
}


@pytest.mark.parametrize("target", ["PORTABLE", "CORTEX_M0PLUS"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_no_warnings(compiler, target, tmp_path):
    command = COMPILERS[compiler]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    folders = FOLDERS if target != "PORTABLE" else FOLDERS[:1]
    sources = [path for path in SOURCES if path.parent in folders]
    assert len(sources) > 15
    options = [f"-DMLET_TARGET=MLET_TARGET_{target}", *(f"-I{folder}" for folder in folders)]
    done = subprocess.run(
        [*command, *FLAGS, *options, "-c", *sources],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
