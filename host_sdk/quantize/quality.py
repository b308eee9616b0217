"""How far the integers are from the float network: `report_layers`."""

from dataclasses import dataclass

import numpy as np

from host_sdk.golden import run_clip
from host_sdk.quantize.float_ops import trace
from host_sdk.quantize.ranges import activations, check_clips


@dataclass
class LayerReport:
    """How far the int8 output of an op is from the float one."""

    name: str
    kind: str
    sqnr_db: float  # signal to quantization noise: more is better, 6 dB are one bit
    clipped: float  # share of float values outside what int8 can say


def report_layers(model, graph, clips):
    """Compare float and int8 (golden) op by op over uint8 `clips`; return [LayerReport]."""
    ops = trace(model)
    check_clips(model, clips)
    floats = [np.concatenate(parts) for parts in zip(*activations(model, ops, clips), strict=True)]
    time = clips if clips.ndim == 5 else clips[:, None]
    int8 = [run_clip(graph, (clip.astype(np.int16) - 128).astype(np.int8)) for clip in time]
    reports = []
    for i, op in enumerate(graph.ops):
        tensor = graph.tensors[op.output]
        q = np.stack([outputs[i] for outputs in int8])
        real = (q.astype(np.float64) - tensor.zero_point) * tensor.scale
        wanted = floats[i].reshape(real.shape)
        noise = np.mean((real - wanted) ** 2)
        signal = np.mean(wanted.astype(np.float64) ** 2)
        low, high = ((end - tensor.zero_point) * tensor.scale for end in (-128.5, 127.5))
        clipped = np.mean((wanted < low) | (wanted > high))
        reports.append(
            LayerReport(
                op.name,
                op.kind,
                float(10 * np.log10(max(signal, 1e-30) / max(noise, 1e-30))),
                float(clipped),
            )
        )
    return reports
