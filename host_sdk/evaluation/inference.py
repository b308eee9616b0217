"""The int8 network on many clips, in C on this machine."""

import numpy as np

from host_sdk import mlet_file, native
from host_sdk.clips import to_input


class Int8Network:
    """A packed model in the C core. Clips are samples [T, H, W, C]."""

    def __init__(self, data):
        self.graph = mlet_file.read(data)[0]
        self._stream = native.Stream(native.Model(data))

    def logits(self, clips, progress=None):
        """Run every clip from a reset stream; return real logits, float32 [N, T, classes].

        The clips may differ in length; then the result is a list of arrays.
        """
        rows = []
        for done, clip in enumerate(clips):
            self._stream.reset()
            frames = to_input(self.graph, clip)
            rows.append(self._real([self._stream.push(frame).ravel() for frame in frames]))
            if progress:
                progress(done + 1, len(clips))
        same = len({len(row) for row in rows}) == 1
        return np.stack(rows) if same else rows

    def _real(self, values):
        tensor = self.graph.tensors[self.graph.outputs[0]]
        return (np.array(values, np.float32) - tensor.zero_point) * np.float32(tensor.scale)
