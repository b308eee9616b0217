"""Keras models and clips for tests that need no training."""

import numpy as np

PLAIN = {"equalize": False, "correct_bias": False}  # quantization alone, which is quicker


def shaken(model, seed=0):
    """Give every variable of `model` a random value, so that nothing folds away by being 0 or 1."""
    rng = np.random.default_rng(seed)
    for w in model.weights:
        if "seed" in w.path:
            continue
        fan_in = max(1, np.prod(w.shape[:-1])) if len(w.shape) > 1 else 1
        value = rng.normal(0, 1 / np.sqrt(fan_in), w.shape)
        if "variance" in w.name or "gamma" in w.name:
            value = rng.uniform(0.5, 1.5, w.shape)
        w.assign(value)
    return model


def smooth_clips(count, frames, height, width, channels, seed=1):
    """Return uint8 clips with structure: waves that move."""
    rng = np.random.default_rng(seed)
    grid = np.meshgrid(*(np.arange(n) for n in (frames, height, width)), indexing="ij")
    wave = rng.normal(0, 0.5, (count, channels, 3))
    phase = np.einsum("ncd,dthw->nthwc", wave, np.array(grid)) + rng.uniform(
        0, 6, (count, *[1] * 4)
    )
    noise = rng.normal(0, 20, phase.shape)
    return np.clip(127 + 100 * np.sin(phase) + noise, 0, 255).astype(np.uint8)


def keras_outputs(model, ops, clips):
    """Return what Keras itself gives for every op of `quantize.trace`, a list of arrays."""
    import keras

    outputs = keras.Model(model.inputs[0], [op.value for op in ops])(clips / np.float32(255))
    return [np.asarray(v) for v in keras.tree.flatten(outputs)]  # one alone comes without a list
