"""Structured pruning: whole channels leave the network, and with them weights, MACs and memory.

`prune` makes a smaller Keras model; `prune_run` also lets it learn to answer as it did before.
"""

import itertools
import math
from pathlib import Path

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.files import check_folder
from host_sdk.format.check import WITH_ROWS
from host_sdk.networks import import_keras
from host_sdk.networks.float_ops import trace, trace_tensors, unwrap
from host_sdk.train.run_folder import write_run

LEARNING_RATE = 2e-3
MULTIPLE = 4  # of channels: what kernels like


def prune(model, keep):
    """Return a Keras model of the same layers with about `keep` (0 ... 1) of the channels.

    Channels that must leave together (through depthwise layers, temporal shifts and sums) form a
    group; every group keeps its most important ones. The network's input and output stay whole.
    A channel's importance is the product of the norms of all weights that touch it, batch
    normalization included: that does not change when a channel is scaled up in one layer and down
    in the next. Weights are those of `model`, which stays as it is.
    """
    if not 0 < keep <= 1:
        raise MotionletError(f"the share of channels to keep is above 0 and at most 1, not {keep}")
    ops, tensor = trace_tensors(model)
    channels = [model.inputs[0].shape[-1], *(op.shape[2] for op in ops)]
    kept = _choose(ops, channels, keep)
    keras = import_keras()

    def smaller(layer):
        inner = unwrap(layer)
        config = layer.get_config()
        inner_config = config
        if inner is not layer:
            config["layer"].pop("build_config", None)  # the number of channels it was built for
            inner_config = config["layer"]["config"]
        kind = type(inner).__name__
        if kind in ("Conv2D", "Dense"):
            key = "filters" if kind == "Conv2D" else "units"
            inner_config[key] = len(kept[tensor(layer.output)])
        elif kind == "TemporalShift":
            inner_config["channels"] = int(np.sum(kept[tensor(layer.output)] < layer.channels))
        return type(layer).from_config(config)

    pruned = keras.models.clone_model(model, clone_function=smaller)
    for layer in model.layers:
        if layer.weights:
            source = tensor(layer.input)
            # A map that was flattened is read as one vector, channels innermost.
            places = layer.input.shape[-1] // channels[source]
            ins = np.add.outer(np.arange(places) * channels[source], kept[source]).ravel()
            _copy_weights(layer, pruned.get_layer(layer.name), ins, kept[tensor(layer.output)])
    return pruned


def _choose(ops, channels, keep):
    """Return by tensor which of its `channels` stay, as a sorted array."""
    groups = list(range(len(ops) + 1))  # tensor -> a tensor of its group, in the end the first

    def group(tensor):
        while groups[tensor] != tensor:
            tensor = groups[tensor]
        return tensor

    for output, op in enumerate(ops, 1):
        if op.kind not in WITH_ROWS:
            for tensor in op.inputs:
                first, second = sorted((group(tensor), group(output)))
                groups[second] = first
    importance = {t: np.zeros(channels[t]) for t in range(len(groups)) if group(t) == t}
    segments = {t: {0, channels[t]} for t in importance}
    for output, op in enumerate(ops, 1):
        if shifted := op.geometry.get("shift_channels"):  # these stay in front of the others
            segments[group(op.inputs[0])].add(shifted)
        if op.weights is None:
            continue
        by_output = np.moveaxis(op.weights, op.channel_axis, 0).reshape(op.shape[2], -1)
        importance[group(output)] += _log_norm(by_output)
        if op.kind in WITH_ROWS:
            source = group(op.inputs[0])
            by_input = op.weights.reshape(-1, channels[op.inputs[0]]).T
            importance[source] += _log_norm(by_input)
    whole = {group(0), group(len(ops))}
    kept = {
        t: np.arange(channels[t])
        if t in whole
        else _most_important(importance[t], sorted(segments[t]), keep)
        for t in importance
    }
    return [kept[group(t)] for t in range(len(groups))]


def _log_norm(rows):
    return np.log(np.maximum(np.linalg.norm(rows, axis=1), 1e-30))


def _most_important(importance, ends, keep):
    """Return the channels to keep, as many of each segment as its length asks for."""
    channels = len(importance)
    multiple = MULTIPLE if channels % MULTIPLE == 0 else 1
    total = max(multiple, round(keep * channels / multiple) * multiple)
    chosen = []
    for low, high in itertools.pairwise(ends):
        last = high == channels
        count = total - len(chosen) if last else round(total * (high - low) / channels)
        count = min(max(count, 1), high - low)
        order = np.argsort(-importance[low:high], kind="stable")
        chosen += [low + int(i) for i in order[:count]]
    return np.array(sorted(chosen))


def _copy_weights(layer, smaller, ins, outs):
    """Copy a layer's weights of the inputs and outputs that stay."""
    kind = type(unwrap(layer)).__name__
    for old, new in zip(layer.weights, smaller.weights, strict=True):
        if "seed" in old.path:  # of a random generator
            continue
        value = np.asarray(old)
        if kind == "Conv2D" and value.ndim == 4:
            value = value[:, :, ins][..., outs]
        elif kind == "DepthwiseConv2D" and value.ndim == 4:
            value = value[:, :, outs]
        elif kind == "Dense" and value.ndim == 2:
            value = value[ins][:, outs]
        else:
            value = value[..., outs]
        new.assign(value)


def prune_run(run, keep, out, epochs=4, seed=0, tell=None):
    """Prune the network of a `run_folder.Run`, fine-tune it, and write the run folder `out`.

    For `epochs` passes over the training clips the smaller network learns to answer as the larger
    one does; 0 leaves it as it was cut. Returns what train.json holds: the record of `run`, with
    the new accuracy and parameters, and "pruned", which says how.
    """
    from host_sdk.train import accuracy, float_logits
    from host_sdk.train.fine_tune import fine_tune

    out = Path(out)
    if out.resolve() == run.folder.resolve():
        raise MotionletError(f"{out} holds the network to prune; name another folder with --out")
    check_folder(out)
    model = run.load_network()
    smaller = prune(model, keep)
    normalization = run.normalization
    if epochs:
        fine_tune(
            *(lambda x: smaller(x, training=True), model, smaller.trainable_variables),
            *(normalization.run(run.make_clips("train")[0]), normalization.real),
            *(epochs, LEARNING_RATE, seed, tell),
        )
    record = {
        **run.record,
        "parameters": sum(int(np.prod(w.shape)) for w in smaller.trainable_weights),
        "accuracy": {},
        "pruned": {
            "from": str(run.folder),
            "keep": keep,
            "epochs": epochs,
            "seed": seed,
            "macs": [_macs(model), _macs(smaller)],
            "accuracy_before": run.record["accuracy"],
        },
    }
    for split in ("validation", "test"):
        samples, labels = run.make_clips(split)
        logits = float_logits(smaller, samples, normalization=normalization)
        record["accuracy"][split] = accuracy(run.config["network"], logits, labels)
    write_run(out, smaller, record)
    return record


def _macs(model):
    """Return the multiply-accumulates of a Keras model on one frame."""
    return sum(
        math.prod(op.shape[:2]) * op.weights.size for op in trace(model) if op.weights is not None
    )
