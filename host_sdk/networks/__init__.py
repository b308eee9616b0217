"""Networks to train: modules that each offer a Keras model over clips.

`build(frame_shape, classes, **options)` returns the model and `OPTIONS` says which options there
are, {name: Option}. All take clips [batch, time, height, width, channels] of real values (see
`host_sdk.format.normalization`) and return logits [batch, time, classes], one answer a frame. They
are built of the layers that `host_sdk.quantize` can export, and of no others.

- `tsm`: inverted residual blocks with a temporal shift;
- `separable3d`: depthwise over the picture, depthwise over time, pointwise;
- `late_fusion`: a feature vector of every frame, the last ones weighed together;
- `phinet`: inverted residuals, with options for MACs, flash and RAM one by one;
- `xinet`: compression and full 3x3 convolutions, with a temporal shift;
- `per_frame`: inverted residuals without memory, to compare with.
"""

import importlib
import os

from host_sdk.errors import MotionletError
from host_sdk.files import check_archive
from host_sdk.format.mlet import LIMITS
from host_sdk.networks.options import complete

NETWORKS = ("tsm", "separable3d", "late_fusion", "phinet", "xinet", "per_frame")


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


def options_of(name):
    """Return {name: Option} of the network `name`."""
    return _module(name).OPTIONS


def build_network(name, frame_shape, classes, **options):
    """Return a fresh Keras model of the network `name`.

    `frame_shape` is (height, width, channels); height and width at least 8. `options` are some of
    `options_of(name)`, the others keep their defaults.
    """
    network = _module(name)
    largest = LIMITS["max_dim"]
    if (
        len(frame_shape) != 3
        or not 8 <= min(frame_shape[:2]) <= max(frame_shape[:2]) <= largest
        or frame_shape[2] < 1
    ):
        raise MotionletError(
            f"a frame of {tuple(frame_shape)} does not fit: want (height, width, channels), "
            f"8 x 8 pixels at least, {largest} x {largest} at most"
        )
    if classes < 1:
        raise MotionletError(f"a network answers with a class at least, not {classes}")
    return network.build(tuple(frame_shape), classes, **complete(name, network.OPTIONS, options))


def _module(name):
    if name not in NETWORKS:
        raise MotionletError(f"no network named {name!r}; there is: {', '.join(NETWORKS)}")
    import_keras()
    return importlib.import_module(f"{__name__}.{name}")


def load_network(path):
    """Return the Keras model saved at `path` (.keras). What would run code in it is refused."""
    if not os.path.isfile(path):
        raise MotionletError(f"no model at {path}")
    keras = import_keras()
    try:
        with open(path, "rb") as file:
            if file.read(2) == b"PK":
                check_archive(file)
        return keras.saving.load_model(path, compile=False, safe_mode=True)
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
