"""Is it motion that the answers come from? Clips changed so that they should become harder.

Each function takes samples [N, T, H, W, C] and returns samples of that shape.
"""

import numpy as np


def shuffled(clips, seed=0):
    """Put the frames of each clip in random order: what is left is what single frames tell."""
    rng = np.random.default_rng(seed)
    order = rng.permuted(np.tile(np.arange(clips.shape[1]), (len(clips), 1)), axis=1)
    return clips[np.arange(len(clips))[:, None], order]


def backwards(clips):
    """Play each clip backwards."""
    return clips[:, ::-1]


def frozen(clips, seed=0):
    """Repeat one frame of each clip, drawn at random, for as long as the clip was."""
    frame = np.random.default_rng(seed).integers(0, clips.shape[1], len(clips))
    one = clips[np.arange(len(clips)), frame]
    return np.broadcast_to(one[:, None], clips.shape)


# name: function (clips, seed)
CONTROLS = {
    "shuffled": shuffled,
    "backwards": lambda clips, seed: backwards(clips),
    "frozen": frozen,
}
