"""Networks to train: each is a function that returns a Keras model over clips.

All take clips [batch, time, height, width, channels] with pixels in 0 ... 1 and return logits
[batch, time, classes], one answer a frame. They are built of the layers that
`host_sdk.quantize` can export, and of no others. `width` scales their channels.

- `tsm`: inverted residual blocks with a temporal shift;
- `separable3d`: depthwise over the picture, depthwise over time, pointwise;
- `per_frame`: `tsm` without the shift and without memory, to compare with.
"""

import os

from host_sdk.errors import MotionletError

NETWORKS = ("tsm", "separable3d", "per_frame")


def import_keras():
    """Import Keras on TensorFlow, which takes seconds, without its chatter; return the module."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # While it loads, TensorFlow writes to stderr before it reads any setting.
    stderr = os.dup(2)
    silence = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(silence, 2)
        import tensorflow as tf

        tf.zeros(1)
        import keras
    except ImportError as error:
        raise MotionletError(f"training needs TensorFlow: {error}") from None
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(silence)
    if keras.backend.backend() != "tensorflow":
        raise MotionletError(
            f"Keras runs on {keras.backend.backend()}; unset KERAS_BACKEND, it must be tensorflow"
        )
    import host_sdk.networks.layers  # noqa: F401  so that .keras files with them can be loaded

    return keras


def build_network(name, frame_shape, classes, width=1.0):
    """Return a fresh Keras model of the network `name`.

    `frame_shape` is (height, width, channels); height and width at least 8.
    """
    if name not in NETWORKS:
        raise MotionletError(f"no network named {name!r}; there is: {', '.join(NETWORKS)}")
    if len(frame_shape) != 3 or min(frame_shape[:2]) < 8 or frame_shape[2] < 1:
        raise MotionletError(
            f"a frame of {tuple(frame_shape)} does not fit: want (height, width, channels), "
            "8 x 8 pixels at least"
        )
    if not 0 < width <= 16 or classes < 1:
        raise MotionletError(f"want 0 < width <= 16 and a class at least: {width}, {classes}")
    import_keras()
    from host_sdk.networks import separable3d, tsm

    if name == "separable3d":
        return separable3d.build(frame_shape, classes, width)
    return tsm.build(frame_shape, classes, width, temporal=name == "tsm")


def load_network(path):
    """Return the Keras model saved at `path` (.keras)."""
    if not os.path.isfile(path):
        raise MotionletError(f"no model at {path}")
    keras = import_keras()
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever its unpacking met
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise MotionletError(f"{path} is not a Keras model: {reason[0]}") from None


def answers(network, logits):
    """Return what the network named `network` answers after each frame, from its logits.

    Both are [clips, time, classes]. A network with a memory answers with the frame's logits; one
    without gets the best that single frames allow, the mean over the frames so far.
    The answer to a clip is the one after its last frame.
    """
    if network != "per_frame":
        return logits
    from keras import ops

    frames = ops.arange(1, logits.shape[1] + 1, dtype="float32")
    return ops.cumsum(logits, axis=1) / frames[:, None]
