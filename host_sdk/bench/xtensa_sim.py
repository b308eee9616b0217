"""The C core on an emulated Xtensa core: QEMU's de212, which the ESP32-S3's LX7 contains.

It runs the same instructions as the ESP32-S3's scalar core, but for the vector unit, and counts
them exactly: tools/xtensa_sim/start.S says how. It knows nothing of cycles, caches or flash.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from host_sdk import paths
from host_sdk.errors import MotionletError
from host_sdk.format.mlet import ALIGN

NAME = "xtensa-sim"
ARCH = "esp32s3"
JOBS = 0x60400000  # `_jobs` of tools/xtensa_sim/sim.ld
# One instruction takes 2^7 ns; tools/xtensa_sim/main.c relies on it.
QEMU = ("-M", "sim", "-cpu", "de212", "-icount", "shift=7", "-semihosting")
QUIET = ("-display", "none", "-monitor", "none", "-serial", "none", "-audio", "none")
CC = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-DMLET_TARGET=MLET_TARGET_ESP32S3")
LINK = ("-nostdlib", "-Wl,--no-warn-rwx-segments")
# Of what runs inside an exception: tools/xtensa_sim/pie/pie.c says why.
INSIDE = (
    "-std=gnu99",
    "-mabi=call0",
    "-fno-branch-count-reg",
    "-fno-tree-loop-distribute-patterns",
)
NO_FLOATS = {"MOTIONLET_XTENSA_FLOATS": "0"}  # of the compiler: de212 has none


@dataclass
class OpRun:
    """What an op did on one frame: `instructions`, and its `output` (None if not asked for)."""

    instructions: int
    output: np.ndarray | None


def toolchain():
    """Return the folder of the Xtensa toolchain's programs; get it first if it is not there.

    Raises MotionletError with the reason when it cannot be had.
    """
    tool = paths.repository() / "tools/xtensa_toolchain.py"
    done = subprocess.run([sys.executable, tool], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise MotionletError("no Xtensa toolchain: tools/xtensa_toolchain.py says why")
    return Path(done.stdout.strip())


def program():
    """Return the path of the program that runs models on the core, built first when it is new."""
    root = paths.repository()
    module, sim = root / "native_modules/motionlet", root / "tools/xtensa_sim"
    folders = (module / "core", module / "arch" / ARCH, sim, sim / "pie")
    files = sorted(path for folder in folders for path in folder.glob("*.*"))
    digest = hashlib.sha256(" ".join((*CC, *INSIDE, *LINK)).encode())
    tools = (root / f"tools/xtensa_{name}" for name in ("core.c", "pie.h", "toolchain.py"))
    for path in [*files, *tools]:
        digest.update(path.name.encode() + path.read_bytes())
    target = paths.build() / f"xtensa/sim-{digest.hexdigest()[:16]}.elf"
    if not target.exists():
        _build(toolchain(), files, folders, target)
    return target


def _build(binaries, files, folders, target):
    gcc = [binaries / "xtensa-esp32s3-elf-gcc", *CC, *(f"-I{folder}" for folder in folders)]
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        sources = [path for path in files if path.suffix in (".c", ".S")]
        objects = [Path(work) / f"{source.name}.o" for source in sources]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            each = zip(sources, objects, strict=True)
            list(
                pool.map(
                    _run, ([*gcc, *_own(source), "-c", source, "-o", out] for source, out in each)
                )
            )
        elf = Path(work) / "sim.elf"
        script = next(path for path in files if path.suffix == ".ld")
        _run([*gcc, *LINK, "-T", script, *objects, "-o", elf])
        shutil.move(elf, target)


def _own(source):
    return INSIDE if source.parent.name == "pie" else ()


def _run(command):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **NO_FLOATS})
    if done.returncode:
        raise MotionletError(f"{Path(command[0]).name} fails:\n{done.stderr.strip()}")


def run(jobs, outputs=True, options=()):
    """Run models on clips: `jobs` is a list of (graph, its .mlet bytes, int8 [frames, H, W, C]).

    `options` are more of QEMU's.

    Returns, for each job, a list of frames, each a list of OpRun in the order of the ops. Raises
    MotionletError when the core crashes or refuses a model.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jobs.bin"
        path.write_bytes(_pack(jobs, outputs))
        loader = f"loader,file={path},addr={JOBS:#x},force-raw=on"
        qemu = toolchain() / "qemu-system-xtensa"
        command = [qemu, *QEMU, *QUIET, *options, "-kernel", program(), "-device", loader]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode:
        text = done.stderr.decode(errors="replace").strip()
        raise MotionletError(f"the emulated Xtensa core stopped with {done.returncode}: {text}")
    return _unpack(done.stdout, jobs, outputs)


def _pack(jobs, outputs):
    def padded(content):
        return content + bytes(-len(content) % ALIGN)

    packed = [padded(np.uint32(len(jobs)).tobytes())]
    for _, content, clip in jobs:
        if clip.dtype != np.int8:
            raise MotionletError(f"the emulated Xtensa core takes int8 tensors, not {clip.dtype}")
        frames = clip.tobytes()
        packed.append(np.array([len(content), len(frames), len(clip), outputs], "<u4").tobytes())
        packed += [padded(content), padded(frames)]
    return b"".join(packed)


def _unpack(results, jobs, outputs):
    at = 0

    def word():
        nonlocal at
        at += 4
        return int.from_bytes(results[at - 4 : at], "little")

    unpacked = []
    for index, (graph, _, clip) in enumerate(jobs):
        status = word()
        if status:
            raise MotionletError(f"the emulated Xtensa core refuses job {index}: {status - 2**32}")
        frames = []
        for _ in clip:
            ops = []
            for op in graph.ops:
                run = OpRun(word(), None)
                if outputs:
                    tensor = graph.tensors[op.output]
                    run.output = np.frombuffer(results, np.int8, tensor.size, at)
                    run.output = run.output.reshape(tensor.shape)
                    at += tensor.size
                ops.append(run)
            frames.append(ops)
        unpacked.append(frames)
    return unpacked
