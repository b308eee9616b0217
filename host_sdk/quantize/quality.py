"""How far the integers are from the float network: `report_layers`."""

from dataclasses import dataclass

import numpy as np

from host_sdk.golden import run_clip
from host_sdk.quantize.simulation import Simulation


@dataclass
class LayerReport:
    """How far the int8 output of an op is from the float one."""

    name: str
    kind: str
    sqnr_db: float  # signal to quantization noise: more is better, 6 dB are one bit
    clipped: float  # share of float values outside what int8 can say


def report_layers(ops, graph, clips):
    """Compare a graph (golden) with the float ops that it was made of, op by op.

    `clips` are what the network is given, real [N, T, H, W, C]. Returns [LayerReport].
    """
    floats = [np.concatenate(v) for v in zip(*Simulation(ops).batches(clips), strict=True)]
    frames = graph.tensors[0]
    entering = np.rint(clips / frames.scale + frames.zero_point).astype(np.int8)
    int8 = [run_clip(graph, clip) for clip in entering]
    reports = []
    for i, op in enumerate(graph.ops):
        tensor = graph.tensors[op.output]
        q = np.stack([outputs[i] for outputs in int8])
        real = (q.astype(np.float64) - tensor.zero_point) * tensor.scale
        wanted = floats[i]
        noise = np.mean((real - wanted) ** 2)
        signal = np.mean(wanted.astype(np.float64) ** 2)
        low, high = ((end - tensor.zero_point) * tensor.scale for end in (-128.5, 127.5))
        clipped = np.mean((wanted < low) | (wanted > high))
        decibel = 10 * np.log10(max(signal, 1e-30) / max(noise, 1e-30))
        reports.append(LayerReport(op.name, op.kind, float(decibel), float(clipped)))
    return reports
