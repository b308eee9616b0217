"""What a model costs on each target: memory, and where in it everything lies."""

from host_sdk.cost.boards import load_board
from host_sdk.cost.design import cost_model_of
from host_sdk.errors import MotionletError
from host_sdk.pack import mlet_file, planner, targets
from host_sdk.pack.packing import plan_for

BOARD = "MOTIONLET_PICO"  # whose benchmarks tell cycles


def costs(graph):
    """Return {parameters, macs_per_frame, layers, targets} of a graph.

    `targets` is {name: {model_bytes, arena_bytes, state_bytes, stream_bytes, cycles, arena,
    state}}. `stream_bytes` is what a stream takes: both, and its own fields. `cycles` is what each
    layer will take a frame by the benchmarks, on average over the frames where it does not run at
    each; None where these tell nothing. `arena` lists
    {name, offset, bytes, first, last}: what lies there from op `first` to op `last`, inclusive;
    -1 is before the first op. `state` lists {name, offset, bytes} of what ops, and the input's
    normalization, keep between frames.
    """
    return {
        "parameters": graph.parameters,
        "macs_per_frame": graph.macs_per_frame,
        "layers": [
            {
                "name": op.name,
                "op": op.kind,
                "shape": list(graph.tensors[op.output].shape),
                "macs": graph.macs(op),
                "weight_bits": None if op.weights is None else op.weight_bits,
            }
            for op in graph.ops
        ],
        "targets": {target: _on_target(graph, target) for target in targets.MODULES},
    }


def _on_target(graph, target):
    graph, plan = plan_for(graph, target)
    data = mlet_file.pack(graph, plan, target)
    arena = [
        {"name": tensor.name, "offset": offset, "bytes": size, "first": first, "last": last}
        for tensor, offset, size, (first, last) in zip(
            graph.tensors,
            plan.tensor_offsets,
            planner.arena_sizes(graph, plan.rows),
            plan.lifetimes,
            strict=True,
        )
    ]
    arena += [
        {"name": f"{op.name}: scratch", "offset": offset, "bytes": size, "first": i, "last": i}
        for i, (op, offset, size) in enumerate(
            zip(graph.ops, plan.scratch_offsets, plan.scratch_sizes, strict=True)
        )
        if size
    ]
    state = [
        {"name": op.name, "offset": offset, "bytes": size}
        for op, offset, size in zip(graph.ops, plan.state_offsets, plan.state_sizes, strict=True)
        if size
    ]
    for given, offset in zip(graph.inputs, plan.background_offsets, strict=True):
        if kept := planner.background_bytes(graph, given):
            whose = "input" if len(graph.inputs) == 1 else graph.tensors[given.tensor].name
            state.append({"name": f"{whose}'s background", "offset": offset, "bytes": kept})
    return {
        "model_bytes": len(data),
        "arena_bytes": plan.arena_bytes,
        "state_bytes": plan.state_bytes,
        "stream_bytes": plan.stream_bytes,
        "cycles": _estimated_cycles(data, graph, target),
        "arena": arena,
        "state": state,
    }


def _estimated_cycles(data, graph, target):
    board = load_board(BOARD)
    if target != board.target:
        return None
    try:
        return cost_model_of(board).layers(data, graph).round().tolist()
    except MotionletError:  # an op, or a board, that was never measured
        return None
