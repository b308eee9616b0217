"""BENCHMARKS.md, from the rows of benchmarks.json and figures/cost_model.json."""

from host_sdk.bench import measure as bench
from host_sdk.bench import sizes, xtensa_cycles
from host_sdk.cost import cost_model
from host_sdk.cost.benchmarks import MHZ, stored_path
from host_sdk.cost.boards import load_board
from host_sdk.files import make_folder, write, write_json

# Cycles of other libraries' kernels for layers of `bench.kernel_cases`: compiled with -O3 and run
# once on the same virtual Pico, in November 2026.
PEERS = {
    "CMSIS-NN": (2_896_000, 3_125_000, 602_000),
    "TinyMaix, as emlearn-micropython has it": (5_716_000, 5_530_000, 1_236_000),
    "TinyMaix, O1 + FASTSCALE": (2_417_000, 1_237_000, 354_000),
}
PEER_CASES = {
    "pointwise 16×16, 32→32": "pointwise_16x16_32_32",
    "depthwise 3×3, 16×16×32": "depthwise3x3_16x16x32",
    "conv 3×3, stride 2, 32×32×1→8": "conv3x3s2_32x32x1_8",
}

HEADING = """# Benchmarks

Written by `make bench`; do not edit.

## Next to other libraries

Cycles of one layer on the virtual Pico, and how many times those of Motionlet's tuned kernel:
"""

PEERS_NOTE = """
All are 8-bit, requantization included. Motionlet and CMSIS-NN are *exact*: they give the bytes
that their specification defines (the same scheme, TensorFlow Lite's). TinyMaix is *not exact*: it
cuts off a float where the scheme rounds, and with FASTSCALE its integers may wrap. Motionlet's
figures are of its firmware and measured anew with each table. The others' were measured once, in
November 2026, compiled with GCC's `-O3`, as their sources come in no package of PyPI, npm or
Debian.

TinyMaix runs networks of one frame. CMSIS-NN is kernels: to keep what earlier frames left behind is
its caller's task. A clip of T frames, recomputed at each new frame, costs T times the work of a
Motionlet stream.
"""

INT4 = """The weights take half the bytes; an output channel's bias, multiplier and shift, 9 bytes,
stay as they are. On the tuned kernels:"""

SIZES = """## Sizes

*Flash* is code and constants; *RAM* what is taken before any model is loaded: the tuned kernels'
code that runs from there, and variables. *Stack* is the most that a function of the core needs,
with all that it calls: what the functions of the linked image push and reserve, along the deepest
way (`tools/stack_usage.py`); what pointers may call counts, a ROM's memcpy does not. For
`mlet_stream_run` that is with a chain of eight ops, the longest there may be; MicroPython on the
RP2040 has 8,192 bytes of stack. The armv6m firmware is that of MOTIONLET_PICO; xtensawin's is built
for QEMU's core, with Debian's GCC. A native module lies in a file and, once imported, in RAM; here
it is the `core`."""

CONFIGURATIONS = """
## Configurations

`core` has what networks of the six families need, `full` everything, and `for_demo` only what the
network of `make demo` needs (`host_sdk install --for`). `make figures NAME=sizes` measures them
anew; core/mlet_config.h says what the groups are. *RAM* is what a native module takes as it is
loaded; a module made for models has chains where they save more RAM than their code takes.
"""

FORETOLD = """## How well cycles are foretold

`host_sdk design` and `report` reckon cycles before anything runs on a board: the C core counts what
its kernels do, and a fit to this table says how long each of these takes. Here each network was
left out of the fit, and then reckoned (`make figures NAME=cost_model`):
"""

FORETOLD_NOTE = """
A frame is at most {frame:.1%} off; 9 of 10 layers are at most {layer:.1%} off.
"""

READING = """## How to read the rest

*portable* is the C core, the other columns are the kernels tuned for a target; all give the same
bytes. Cycles are of one frame at 125 MHz, from the device's timer around the kernel alone,
requantization included, weights and input in RAM. *Scratch* is what a kernel needs beside its input
and output, in bytes; *arrays* are the bytes of a layer's weights and parameters as they lie in
flash, packed for the target.

The virtual Pico counts Cortex-M0+ cycles exactly, so a figure changes only when the code or the
compiler does. It has one core and no flash cache, so it shows none of the cycles that real flash
costs when its cache misses: a Pico will be slower than this where code or weights lie in flash. The
tuned kernels run from RAM for that reason; the portable ones do not.

On xtensa-sim, QEMU's Xtensa core, what is counted is *instructions*, exactly, of the code that the
ESP32-S3's core would run. How many cycles they take there was not measured: most take one, but
loads from flash and PSRAM wait for the cache.
"""


ESTIMATED = """*Estimated*, not measured: the cycles that follow from the chip's manual for the
instructions that QEMU's core runs, those of the vector unit included. One instruction a cycle, the
delays of results that are used too early, 2 cycles for what jumps; no caches, no conflicts of
memory, no interrupts: weights and maps lie in internal RAM.
"""


def keep(rows):
    """Make `rows` the repository's table: write all that is told from them. Return BENCHMARKS.md.

    For figures/cost_model.json each network is left out of the fit and reckoned.
    """
    board = load_board("MOTIONLET_PICO")  # whose cycles are known
    figures = cost_model.hold_out(rows, board.target, board.benchmarked_on)
    text = markdown(rows, figures)
    make_folder(cost_model.figures_path().parent)
    write(stored_path(), bench.json_of(rows).encode())
    write_json(cost_model.figures_path(), figures)
    write(stored_path().with_name("BENCHMARKS.md"), text.encode())
    return text


def markdown(rows, figures):
    """Return BENCHMARKS.md for the rows, and for what `cost_model.hold_out` finds of them."""
    estimated = [row for row in rows if row["device"] == xtensa_cycles.NAME]
    timed = [row for row in rows if bench.unit_of(row) != "bytes" and row not in estimated]
    pico = [row for row in timed if row["device"] == bench.VIRTUAL_PICO]
    lines = [HEADING, *_peers(pico), PEERS_NOTE, *_demo(pico), ""]
    lines += _sizes([row for row in rows if bench.unit_of(row) == "bytes"])
    lines += [CONFIGURATIONS, *sizes.tables(sizes.stored()), ""]
    lines += _foretold(figures)
    lines.append(READING)
    for device in sorted({row["device"] for row in timed}):
        lines += _device(device, [row for row in timed if row["device"] == device])
    lines += _estimated(estimated)
    return "\n".join(lines).rstrip() + "\n"


def _estimated(rows):
    """Return the table of cycles that nothing measured."""
    lines = [f"## {xtensa_cycles.NAME}", "", ESTIMATED]
    lines += _head(["layer or network", "MACs", "cycles, estimated", "MACs a cycle", "at 240 MHz"])
    for row in rows:
        rate, time = row["macs"] / row["cycles"], row["cycles"] / 240e3
        cells = f"{row['macs']:,}", f"{row['cycles']:,}", f"{rate:.2f}", f"{time:.2f} ms"
        lines.append(_line(row["case"], *cells))
    return [*lines, ""]


def _foretold(figures):
    """Return how well `cost_model` does for networks that it has not seen."""
    lines = [FORETOLD, *_head(["network", "measured, cycles", "reckoned", "off", "9 of 10 layers"])]
    for entry in figures["networks"]:
        measured, reckoned = f"{entry['cycles']:,}", f"{entry['reckoned']:,}"
        off, layers = f"{entry['frame_error']:+.1%}", f"≤ {entry['layer_error_p90']:.1%}"
        lines.append(_line(entry["network"], measured, reckoned, off, layers))
    most = figures["held_out_frame_error_max"], figures["held_out_layer_error_p90"]
    return [*lines, FORETOLD_NOTE.format(frame=most[0], layer=most[1])]


def _peers(rows):
    """Return the table that compares with other libraries."""
    found = {(row["case"], row["impl"]): row["cycles"] for row in rows}
    lines = _head(["layer", "Motionlet, tuned", "Motionlet, portable C", *PEERS])
    for index, (layer, case) in enumerate(PEER_CASES.items()):
        ours, *others = (found[case, impl] for impl in reversed(bench.PICO_TARGETS))
        others += [cycles[index] for cycles in PEERS.values()]
        lines.append(_line(layer, f"**{ours:,}**", *(f"{n:,} ({n / ours:.1f}×)" for n in others)))
    return lines


def _demo(rows):
    """Return what the demo's network takes."""
    mine = [row for row in rows if row["case"] == "demo_frame"]
    facts = {
        "cycles a frame": "{cycles:,}",
        "frames a second, at 125 MHz": "{fps:.1f}",
        "cycles a MAC": "{each:.2f}",
        "model file, bytes": "{file_bytes:,}",
        "arena, bytes, with whole maps": "{arena_bytes_whole_maps:,}",
        "arena, bytes, with chains of rows": "{arena_bytes:,}",
        "heap, bytes, of the model's object": "{model_heap_bytes:,}",
        "heap, bytes, of a stream: arena, state, object": "{stream_heap_bytes:,}",
    }
    columns = [
        row | {"fps": MHZ * 1e6 / row["cycles"], "each": row["cycles"] / row["macs"]}
        for row in mine
    ]
    lines = ["## The network of `make demo`", ""]
    lines += _head([f"{mine[0]['macs']:,} MACs a frame", *(row["impl"] for row in mine)])
    return lines + [
        _line(fact, *(figure.format(**row) for row in columns)) for fact, figure in facts.items()
    ]


def _sizes(rows):
    """Return the tables of how large Motionlet is."""
    by_file = [row for row in rows if row["case"].startswith("files/")]
    lines = [SIZES] if rows else []
    for what in ("firmware", "native module"):
        mine = [row for row in rows if row["device"].endswith(what) and row not in by_file]
        if mine:
            lines += ["", f"### In a {what}", "", *_pivot(mine)]
    for device in dict.fromkeys(row["device"] for row in by_file):
        files = _files([row for row in by_file if row["device"] == device])
        lines += ["", *_folded(f"{device}, by file", files)]
    return lines


def _pivot(rows):
    """Return a table of bytes: a line for each thing, a column for each device."""
    devices = list(dict.fromkeys(row["device"] for row in rows))
    found = {(row["impl"], row["case"], row["device"]): row["bytes"] for row in rows}
    lines = _head(["bytes of", "", *(device.split(",")[0] for device in devices)], left=2)
    for memory in dict.fromkeys(row["impl"] for row in rows):
        cases = list(dict.fromkeys(row["case"] for row in rows if row["impl"] == memory))
        for case in cases:
            counts = (found.get((memory, case, device)) for device in devices)
            lines.append(_line(memory, case, *("–" if n is None else f"{n:,}" for n in counts)))
        if memory == "flash":
            sums = (sum(found.get((memory, case, d), 0) for case in cases) for d in devices)
            lines.append(_line(memory, "**in all**", *(f"**{n:,}**" for n in sums)))
    return lines


def _files(rows):
    """Return a table of the files of one device."""
    found = {(row["case"], row["impl"]): row["bytes"] for row in rows}
    lines = _head(["file", "bytes of flash", "of it run from RAM"])
    for file in dict.fromkeys(row["case"] for row in rows):
        name = file.removeprefix("files/")
        lines.append(_line(name, f"{found[file, 'flash']:,}", f"{found[file, 'RAM']:,}"))
    return lines


def _device(device, rows):
    """Return the tables of one device."""
    known = {case.name for case in bench.kernel_cases()}
    rare = {case.name for case in bench.rare_cases()}
    networks = [row for row in rows if "arena_bytes" in row]
    single = [
        row
        for row in rows
        if "/" not in row["case"] and row not in networks and row["case"] not in rare
    ]
    lines = [f"## {device}", "", "### Kernels", ""]
    lines += _table([row for row in single if row["case"] in known])
    lines += ["", "### Weights of 4 bits", "", INT4, "", *_int4(single)]
    if "cycles" in single[0]:
        lines += ["", "### Temporal shift, a quarter of 16×16×32", "", *_shifts(single)]
    lines += ["", "### Networks", "", "Untrained; what takes time does not depend on training.", ""]
    lines += [*_networks(networks), ""]
    lines += _folded("Other shapes", _table([row for row in single if row["case"] not in known]))
    names = dict.fromkeys(row["case"] for row in networks)
    for name in (name for name in names if name not in bench.DESIGNS or name in bench.FAMILIES):
        layers = [row for row in rows if row["case"].startswith(name + "/")]
        lines += _folded(f"{name}, by layer", _table(layers))
    return lines


def _folded(title, lines):
    """Return lines that are shown when the reader opens them."""
    return ["<details>", f"<summary>{title}</summary>", "", *lines, "", "</details>", ""]


def _line(*cells):
    return f"| {' | '.join(cells)} |"


def _head(titles, left=1):
    """Return the head of a table; the first `left` columns are texts."""
    return [_line(*titles), f"|{'---|' * left}{'--:|' * (len(titles) - left)}"]


def _table(rows):
    """Return a table of layers with the implementations side by side."""
    impls = list(dict.fromkeys(row["impl"] for row in rows))
    unit = bench.unit_of(rows[0])
    lines = _head(
        [
            *("layer", "MACs"),
            *(f"{impl}, {unit}" for impl in impls),
            "faster",
            *(f"{impl}, {what}" for what in ("a MAC", "scratch", "arrays") for impl in impls),
        ]
    )
    for name in dict.fromkeys(row["case"] for row in rows):
        found = [
            row for impl in impls for row in rows if (row["case"], row["impl"]) == (name, impl)
        ]
        macs = found[0]["macs"]
        lines.append(
            _line(
                *(name.split("/", 1)[-1], f"{macs:,}" if macs else "–"),
                *(f"{row[unit]:,}" for row in found),
                f"{found[0][unit] / found[-1][unit]:.2f}×",
                *(f"{row[unit] / macs:.2f}" if macs else "–" for row in found),
                *(f"{row['scratch_bytes']:,}" for row in found),
                *(f"{row['array_bytes']:,}" for row in found),
            )
        )
    return lines


def _networks(rows):
    """Return a table of whole networks with the implementations side by side."""
    impls = list(dict.fromkeys(row["impl"] for row in rows))
    unit = bench.unit_of(rows[0])
    lines = _head(
        [
            *("network", "options", "MACs"),
            *(f"{impl}, {unit}" for impl in impls),
            *("faster", f"{impls[-1]}, a MAC", f"{impls[-1]}, file"),
            *(f"{impl}, arena: whole maps → chains" for impl in impls),
        ],
        left=2,
    )
    for name in dict.fromkeys(row["case"] for row in rows):
        found = [
            row for impl in impls for row in rows if (row["case"], row["impl"]) == (name, impl)
        ]
        options = bench.DESIGNS[name][2] if name in bench.DESIGNS else {}
        lines.append(
            _line(
                name,
                ", ".join(f"{option} {value}" for option, value in options.items()),
                f"{found[0]['macs']:,}",
                *(f"{row[unit]:,}" for row in found),
                f"{found[0][unit] / found[-1][unit]:.2f}×",
                f"{found[-1][unit] / found[-1]['macs']:.2f}",
                f"{found[-1]['file_bytes']:,}",
                *(f"{row['arena_bytes_whole_maps']:,} → {row['arena_bytes']:,}" for row in found),
            )
        )
    return lines


def _int4(rows):
    """Return what weights of 4 bits take, beside those of 8."""
    impl = [row["impl"] for row in rows][-1]
    found = {row["case"]: row for row in rows if row["impl"] == impl}
    unit = bench.unit_of(rows[0])
    lines = _head(
        ["kernel", "arrays, 8 bits", "4 bits", "share", f"{unit}, 8 bits", "4 bits", "share"]
    )
    for name, plain in bench.INT4.items():
        cells = []
        for what in ("array_bytes", unit):
            eight, four = found[plain][what], found[name][what]
            cells += [f"{eight:,}", f"{four:,}", f"{four / eight:.0%}"]
        lines.append(_line(plain, *cells))
    return lines


def _shifts(rows):
    """Return what a shift adds to the op that reads what it shifts."""
    cycles = {(row["case"], row["impl"]): row["cycles"] for row in rows}
    lines = _head(
        ["shifted", "target", "with the shift", "without", "the shift", "a shifted byte"], left=2
    )
    for how, (case, alone) in bench.SHIFTS.items():
        for impl in dict.fromkeys(impl for name, impl in cycles if name == case):
            whole, rest = cycles[case, impl], cycles.get((alone, impl), 0)
            figures = [f"{n:,}" for n in (whole, rest, whole - rest)]
            lines.append(_line(how, impl, *figures, f"{(whole - rest) / bench.SHIFTED:.2f}"))
    return lines
