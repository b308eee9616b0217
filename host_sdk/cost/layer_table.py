"""What `host_sdk inspect` shows: every layer of a model, with its cost."""

from host_sdk.errors import on_one_line
from host_sdk.pack import mlet_file, targets
from host_sdk.pack.packing import plan_for
from host_sdk.pack.planner import background_bytes


def describe(data):
    """Return a dict that describes the model `data` (bytes of an .mlet file), ready for JSON.

    Of each layer, "weights" is their count, "weight_bits" 8 or 4 (0: it has none), and "rows" how
    many rows of its output it keeps when it runs row by row with the next layer, else 0;
    "shift_channels" of its input come from the previous frame. It runs at every "period"-th frame.
    """
    graph, plan, info = mlet_file.read(data)
    layers = []
    for index, op in enumerate(graph.ops):
        out = graph.tensors[op.output]
        layers.append(
            {
                "name": op.name,
                "op": op.kind,
                "shift_channels": op.shift_channels,
                "shape": list(out.shape),
                "macs": graph.macs(op),
                "weights": 0 if op.weights is None else op.weights.size,
                "weight_bits": 0 if op.weights is None else op.weight_bits,
                "arena_offset": plan.tensor_offsets[op.output],
                "state_bytes": plan.state_sizes[index],
                "scratch_bytes": plan.scratch_sizes[index],
                "rows": plan.rows[index],
                "period": op.period,
                "group": op.group,
            }
        )
    tensors = [
        {
            "name": tensor.name,
            "shape": list(tensor.shape),
            "scale": tensor.scale,
            "zero_point": tensor.zero_point,
        }
        for tensor in graph.tensors
    ]
    return {
        "format_version": info.format_version,
        "target": info.target,
        "bytes": info.total_bytes,
        "crc32": f"{info.crc32:08x}",
        "inputs": [
            {
                **tensors[given.tensor],
                "pixel_format": given.pixel_format,
                "normalization": (
                    None if given.pixel_format == "raw" else str(given.normalization)
                ),
                "background_bytes": background_bytes(graph, given),
                "period": given.period,
            }
            for given in graph.inputs
        ],
        "outputs": [tensors[i] for i in graph.outputs],
        "frames_per_second": graph.frames_per_second,
        "labels": graph.labels,
        "layers": layers,
        "parameters": graph.parameters,
        "macs_per_frame": graph.macs_per_frame,
        "reach_frames": graph.reach,
        "input_bytes": sum(graph.tensors[given.tensor].size for given in graph.inputs),
        "arena_bytes": plan.arena_bytes,
        "state_bytes": plan.state_bytes,
        "stream_bytes": plan.stream_bytes,
        # A tuned kernel wants scratch, and runs other ops row by row.
        "stream_bytes_packed_for": {
            target: plan_for(graph, target)[1].stream_bytes
            for target in targets.MODULES
            if info.target == "portable" != target
        },
    }


def sees(reach):
    """Say how many frames an answer may depend on."""
    return "frame alone" if reach == 1 else f"{reach} frames"


def print_table(console, description):
    """Print what `describe` returned as a table."""
    from rich.table import Table

    d = description
    layers = d["layers"]
    rows_before = (0, *(layer["rows"] for layer in layers))
    columns = {
        "layer": [layer["name"] for layer in layers],
        "op": [layer["op"] for layer in layers],
        "shape": [_shape(layer["shape"]) for layer in layers],
        "shift": _numbers(layers, "shift_channels"),
        "rows": [
            _rows(before, layer["rows"]) for before, layer in zip(rows_before, layers, strict=False)
        ],
        "period": [str(layer["period"]) for layer in layers],
        "group": [str(layer["group"]) for layer in layers],
        "MACs": _numbers(layers, "macs"),
        "weights": _numbers(layers, "weights"),
        "bits": _numbers(layers, "weight_bits"),
        "arena": [f"{layer['arena_offset']:,}" for layer in layers],
        "state": _numbers(layers, "state_bytes"),
    }
    for title, usual in (("bits", "8"), ("period", "1"), ("group", "0")):
        if {*columns[title]} <= {usual, ""}:
            del columns[title]
    columns = {title: cells for title, cells in columns.items() if any(cells)}
    table = Table(box=None, header_style="bold", pad_edge=False, collapse_padding=True)
    for title in columns:
        table.add_column(title, justify="left" if title in ("layer", "op") else "right")
    for tensor in d["inputs"]:
        table.add_row(on_one_line(tensor["name"]), "input", _shape(tensor["shape"]))
    for row in zip(*columns.values(), strict=True):
        table.add_row(*map(on_one_line, row))
    console.print(table)
    console.print()
    if "shift" in columns:
        console.print("shift: so many channels of the input come from the frame before")
    if "period" in columns:
        console.print("period: a layer runs at every so many frames, and keeps its output between")
    if "rows" in columns:
        console.print("layers joined by ┐ ┤ ┘ run row by row, and keep only so many rows between")
    console.print(
        f"\n{d['macs_per_frame']:,} MACs a frame, {d['parameters']:,} parameters; "
        f"file {d['bytes']:,} bytes (format {d['format_version']}, target {d['target']}, "
        f"CRC {d['crc32']})"
    )
    console.print(f"an answer may depend on the last {sees(d['reach_frames'])}")
    whose = "input's" if len(d["inputs"]) == 1 else "inputs'"
    console.print(
        f"RAM of a stream: working memory (arena) {d['arena_bytes']:,} bytes (it holds the {whose} "
        f"{d['input_bytes']:,}) + what is kept between frames (state) {d['state_bytes']:,}, with "
        f"the stream's own fields {d['stream_bytes']:,} bytes"
    )
    for target, size in d["stream_bytes_packed_for"].items():
        console.print(f"  as deploy packs it for {target}: {size:,} bytes")
    for tensor in d["inputs"]:
        name = f" {tensor['name']}" if len(d["inputs"]) > 1 else ""
        rate = d["frames_per_second"] / tensor["period"]
        rate = f", {rate:g} frames a second" if rate else ""
        often = f", every {tensor['period']} frames" if tensor["period"] > 1 else ""
        console.print(
            f"input{name} {tensor['pixel_format']} {_shape(tensor['shape'])}, scale "
            f"{tensor['scale']:.6g}, zero point {tensor['zero_point']}{often}{rate}"
        )
        if tensor["normalization"]:
            kept = tensor["background_bytes"]
            state = f" ({kept:,} bytes of state)" if kept else ""
            console.print(f"normalization {tensor['normalization']}{state}")
    for tensor in d["outputs"]:
        console.print(
            f"output {tensor['shape'][2]} values, scale {tensor['scale']:.6g}, zero point "
            f"{tensor['zero_point']}: {on_one_line(', '.join(d['labels'])) or 'no labels'}"
        )


def _numbers(layers, name):
    """Return a column of numbers, with nothing for 0."""
    return [f"{layer[name]:,}" if layer[name] else "" for layer in layers]


def _rows(before, rows):
    """The rows that a layer keeps, and a bracket around the chain it is in."""
    if not rows:
        return "┘" if before else ""
    return f"{rows} {'┤' if before else '┐'}"


def _shape(shape):
    return "×".join(map(str, shape))
