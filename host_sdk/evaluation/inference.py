"""The int8 network on many clips, on this machine."""

import numpy as np

from host_sdk import golden, native
from host_sdk.data.clips import to_input
from host_sdk.pack import mlet_file


class Int8Network:
    """A packed model in the C core. Clips are samples [T, H, W, C].

    Without a C compiler the golden model runs it: the same bytes, some six times slower.
    """

    def __init__(self, data):
        self.graph = mlet_file.read(data)[0]
        try:
            self._stream = native.Stream(native.Model(data))
        except native.NoCompilerError:
            self._stream = golden.Stream(self.graph)

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
