"""How long the C core takes to check a file: one that takes as long as any, and its times."""

import tempfile
import time
from pathlib import Path

import numpy as np

from host_sdk import native, paths
from host_sdk.board.devices import open_device
from host_sdk.board.romfs import build_romfs
from host_sdk.format.graph import Graph, Input, Op, Tensor
from host_sdk.format.mlet import LIMITS
from host_sdk.pack import mlet_file
from host_sdk.pack.planner import Plan, round_up

ROMFS_FILE_BYTES = 261_000  # what the virtual Pico's ROMFS of 256 KB holds in one file
MEAN = {"multiplier": np.array([1 << 30], np.int32), "shift": np.array([30], np.uint8)}


def figures_path():
    """Return where the figures are kept."""
    return paths.repository() / "figures/loader.json"


def measure(rounds=200):
    """Return the figures: seconds to open a file, the shortest of some rounds on this machine."""
    content = long_to_check(0)
    times = [open_seconds(content) for _ in range(rounds)]
    seconds, size = pico_seconds()
    return {
        "ops_512_seconds_host": round(min(times), 6),
        "worst_file_256k_seconds_pico": round(seconds, 4),
        "worst_file_bytes": size,
    }


def open_seconds(content):
    """Return how long it takes to open a file, here."""
    begin = time.perf_counter()
    native.Model(content)
    return time.perf_counter() - begin


def pico_seconds():
    """Return (seconds to open the largest file in the virtual Pico's ROMFS, its bytes)."""
    content = long_to_check(ROMFS_FILE_BYTES)
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "romfs"
        image.write_bytes(build_romfs({"worst.mlet": content}))
        with open_device("virtual", flash=Path(folder) / "flash", romfs=image) as device:
            return int(device.exec(_TIME_IT)) / 1e6, len(content)


_TIME_IT = """
import time, _motionlet
file = memoryview(open("/rom/worst.mlet", "rb"))
begin = time.ticks_us()
_motionlet.Model(file)
print(time.ticks_diff(time.ticks_us(), begin))
"""


def long_to_check(size):
    """Return a file of the most ops, the most tensors live at once, and at most `size` bytes.

    Without a size, its weights are left out; with one, they fill the file, are of 4 bits, which
    take longer a byte, and are shared as often as ops may share them. Behind the ops with weights
    come ones whose outputs live to the end, then chains that write over their inputs.
    """
    channels = int(max(0, 2 * size) ** 0.5) // 8 * 8
    while channels:
        content = _Worst(channels).packed()
        if len(content) <= size:
            return content
        channels -= 8
    return _Worst(0).packed()


class _Worst:
    """The graph and plan of `long_to_check`. Every tensor has one of `max_live` places."""

    HELD = LIMITS["max_live"] - 4  # tensors that live while a chain has its input, row and output
    ROW, SCRATCH = HELD + 1, LIMITS["max_live"]  # the places behind theirs; a chain's is place 0

    def __init__(self, channels):
        self._channels = max(channels, 4)
        self._graph = Graph(inputs=[Input(0, "raw")])
        self._places, self._rows = [], []
        self._add_tensor(0)
        last = 0
        if channels:
            arrays = {
                "weights": np.random.default_rng(0).integers(-7, 8, (channels, channels), np.int8),
                "bias": np.zeros(channels, np.int32),
                "multiplier": np.full(channels, 1 << 30, np.int32),
                "shift": np.full(channels, 40, np.uint8),
            }
            for number in range(LIMITS["array_reuse"]):
                place = 0 if number % 2 else self.ROW
                last = self._add("pointwise", [last], place, weight_bits=4, **arrays)
        held = [self._add("average_pool", [last], 1 + i, **MEAN) for i in range(self.HELD)]
        while len(self._graph.ops) + 2 + len(held) <= LIMITS["max_ops"]:
            row = self._add("average_pool", [last], self.ROW, rows=1, **MEAN)
            last = self._add("average_pool", [row], 0, **MEAN)
        halves = {"multiplier": np.array([1, 1], np.int32), "shift": np.array([1], np.uint8)}
        for tensor in held:
            last = self._add("add", [last, tensor], 0, **halves)
        self._graph.outputs = [last]

    def _add_tensor(self, place):
        self._graph.tensors.append(Tensor("x", 1, 1, self._channels, 1.0, 0))
        self._places.append(place * round_up(self._channels))

    def _add(self, kind, inputs, place, rows=0, **fields):
        op = Op(kind, "", inputs, len(self._graph.tensors), **fields)
        self._graph.ops.append(op)
        self._rows.append(rows)
        self._add_tensor(place)
        return op.output

    def packed(self):
        """Return the file."""
        scratch, none = self.SCRATCH * round_up(self._channels), [0] * len(self._rows)
        size = scratch + 16
        ops = ([scratch] * len(none), [16] * len(none))
        plan = Plan(
            size, 0, self._places, none, none, *ops, rows=self._rows, background_offsets=[0]
        )
        return mlet_file.pack(self._graph, plan)
