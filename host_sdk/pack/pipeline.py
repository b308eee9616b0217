"""From a run folder to a quantized graph and a packed model, made when they are not there.

A run folder stores and loads; what makes its contents is here: `quantize_run`, `graph_of` and
`model_of`.
"""

import contextlib
from dataclasses import asdict, replace

from host_sdk.errors import MotionletError
from host_sdk.files import read, write, write_json
from host_sdk.format.graph import load_graph, save_graph
from host_sdk.networks.float_ops import trace
from host_sdk.pack import mlet_file, planner
from host_sdk.quantize.aware import train_rounded
from host_sdk.quantize.bit_widths import choose_int4, weight_bytes
from host_sdk.quantize.post_training import describe, input_tensor, post_training, real_input
from host_sdk.quantize.recipe import Recipe
from host_sdk.train.run_folder import versions


def graph_of(run):
    """Return the quantized graph of a `run_folder.Run`; made first when the folder has none."""
    path = run.folder / "model.graph"
    if not path.exists():
        graph, record = quantize_run(run)
        save_graph(graph, path)
        write_json(run.folder / "quantize.json", record)
    return load_graph(path)


def model_of(run):
    """Return the bytes of a run's model.mlet. It is packed anew when it is not of model.graph."""
    graph, path = graph_of(run), run.folder / "model.mlet"
    with contextlib.suppress(MotionletError):  # there is none, or it is damaged
        data = read(path)
        # The same graph in the same plan gives the same bytes.
        if mlet_file.pack(graph, mlet_file.read(data)[1]) == data:
            return data
    data = mlet_file.pack(graph, planner.plan(graph))
    write(path, data)
    return data


def file_bytes(graph):
    """Return the bytes of the canonical `.mlet` file of `graph`."""
    return len(mlet_file.pack(graph, planner.plan(graph, chains=False)))


DEFAULT = Recipe()


def quantize_run(run, recipe=DEFAULT, tell=None):
    """Quantize the network of a `run_folder.Run` as `recipe` says; write nothing.

    Returns the graph and what `quantize.json` is to hold. `tell(done, total)` hears of every step
    of training.
    """
    model, normalization = run.load_network(), run.normalization
    samples, _ = run.make_clips("train", recipe.clips)
    frames, clips = input_tensor(model, normalization), real_input(model, samples, normalization)
    ops = trace(model)

    about = run.labels, run.task.FRAMES_PER_SECOND, normalization

    def quantized_with(int4):
        result = post_training(
            ops, frames, clips, recipe.method, int4, recipe.equalize, recipe.correct_bias
        )
        return replace(result, graph=describe(result.graph, *about))

    result = quantized_with(recipe.int4)
    int8_bytes = weight_bytes(result.graph)
    measure, most = file_bytes, recipe.bytes
    if recipe.weights_share is not None:
        measure, most = weight_bytes, int(recipe.weights_share * int8_bytes)
    if most is not None:
        chosen = choose_int4(result, clips, measure, most)
        result = quantized_with(chosen) if chosen else result
    if recipe.qat_epochs:
        samples, _ = run.make_clips("train")
        int8 = normalization.run(samples)
        result = train_rounded(
            result, int8, normalization.real, recipe.qat_epochs, recipe.seed, tell
        )
    graph = result.graph
    return graph, {
        "recipe": asdict(recipe),
        "equalized": result.equalized,
        "bias_corrected": result.bias_corrected,
        "trained": result.trained,
        "int4": [op.name for op in graph.ops if op.weight_bits == 4],
        "logit_error": result.error,
        "weight_bytes": weight_bytes(graph),
        "file_bytes": file_bytes(graph),
        "versions": versions("tensorflow", "keras", "numpy", "scipy"),
    }
