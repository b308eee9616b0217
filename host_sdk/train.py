"""Training: from a task and a network to a Keras model and a record of how it came about."""

import contextlib
import dataclasses
import json
import os
import platform
import random
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np

import host_sdk
from host_sdk.data import fingerprint, load_task
from host_sdk.errors import MotionletError
from host_sdk.networks import answers, build_network, import_keras


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides the outcome of a training."""

    task: str = "moving_digits"
    network: str = "separable3d"
    options: dict = field(default_factory=dict)  # of the network: see its OPTIONS
    frames: int = 16  # in a clip
    clips: int = 5400  # to train on
    validation_clips: int = 900
    test_clips: int = 1800
    epochs: int = 8
    batch: int = 32  # clips
    learning_rate: float = 6e-3  # at the start; falls to 0 along a cosine
    warm_up: int = 6  # frames at a clip's begin whose answers do not count
    seed: int = 0

    def __post_init__(self):
        for name in ("frames", "clips", "validation_clips", "test_clips", "epochs", "batch"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise MotionletError(f"{name} must be an integer of at least 1, not {value!r}")
        if not 0 <= self.warm_up < self.frames:
            raise MotionletError(
                f"warm_up must be 0 to frames - 1 = {self.frames - 1}, not {self.warm_up}"
            )
        if not 0 < self.learning_rate < 1:
            raise MotionletError(f"learning_rate must be in 0 ... 1, not {self.learning_rate}")
        if not 0 <= self.seed < 2**31:
            raise MotionletError(f"seed must be 0 to 2^31 - 1, not {self.seed}")


@dataclass
class TrainResult:
    """`model` is the Keras model; `record` is what train.json holds."""

    model: object
    model_path: Path
    record: dict

    @property
    def test_accuracy(self):
        """Share of test clips answered right after their last frame."""
        return self.record["accuracy"]["test"]


def float_logits(model, clips, batch=64):
    """Run a Keras model over uint8 clips [N, T, H, W, C]; return float32 [N, T, classes]."""
    parts = range(0, len(clips), batch)
    scale = np.float32(255)
    return np.concatenate([np.asarray(model(clips[i : i + batch] / scale)) for i in parts])


def accuracy(network, logits, labels):
    """Return the share of clips whose last answer is their label.

    `logits` [N, T, classes] may be floats or the int8 of a quantized network.
    """
    last = np.asarray(answers(network, np.asarray(logits, np.float32)))[:, -1]
    return float(np.mean(np.argmax(last, axis=-1) == labels))


def train(config, out_dir, progress=True):
    """Train as `config` says; write model.keras and train.json into `out_dir`.

    The same config gives the same weights on the same machine and versions. `progress` shows a
    bar. Returns a `TrainResult`.
    """
    task = load_task(config.task)
    keras = import_keras()
    _make_deterministic(keras, config.seed)
    model = build_network(config.network, task.FRAME_SHAPE, len(task.LABELS), **config.options)
    out_dir = Path(out_dir)
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MotionletError(f"cannot make the directory {out_dir}: {error.strerror}") from None

    data = {
        split: task.make_clips(count, config.frames, split, config.seed)
        for split, count in (
            ("train", config.clips),
            ("validation", config.validation_clips),
            ("test", config.test_clips),
        )
    }
    begin = time.monotonic()
    history = _fit(keras, model, config, data, progress)
    seconds = time.monotonic() - begin

    record = {
        "config": dataclasses.asdict(config),
        "labels": task.LABELS,
        "parameters": sum(int(np.prod(w.shape)) for w in model.trainable_weights),
        "accuracy": {
            split: accuracy(config.network, float_logits(model, data[split][0]), data[split][1])
            for split in ("validation", "test")
        },
        "history": history,
        "data_sha256": {split: fingerprint(*clips) for split, clips in data.items()},
        "training_seconds": round(seconds, 1),
        "versions": {
            "motionlet": host_sdk.__version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("tensorflow", "keras", "numpy", "scikit-learn")},
        },
    }
    model_path = out_dir / "model.keras"
    _write(model_path, model.save)
    _write(out_dir / "train.json", lambda path: path.write_text(json.dumps(record, indent=2)))
    return TrainResult(model, model_path, record)


def _make_deterministic(keras, seed):
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)
    random.seed(seed)


def _fit(keras, model, config, data, progress):
    """Run the epochs; return {"loss": [...], "accuracy": [...], "validation_...": [...]}."""
    import tensorflow as tf

    def batches(split, shuffle):
        clips, labels = data[split]
        rows = tf.data.Dataset.from_tensor_slices((clips, labels))
        if shuffle:
            rows = rows.shuffle(len(clips), seed=config.seed)
        rows = rows.batch(config.batch)
        return rows.map(lambda x, y: (tf.cast(x, tf.float32) / 255, y)).prefetch(1)

    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def loss(labels, logits):
        counted = answers(config.network, logits)[:, config.warm_up :]
        repeated = tf.repeat(tf.reshape(labels, (-1, 1)), config.frames - config.warm_up, axis=1)
        return cross_entropy(repeated, counted)

    def last_right(labels, logits):
        last = answers(config.network, logits)[:, -1]
        return keras.metrics.sparse_categorical_accuracy(tf.reshape(labels, (-1,)), last)

    steps = -(-config.clips // config.batch)
    schedule = keras.optimizers.schedules.CosineDecay(config.learning_rate, config.epochs * steps)
    metric = keras.metrics.MeanMetricWrapper(last_right, name="accuracy")
    model.compile(keras.optimizers.Adam(schedule), loss, metrics=[metric])
    callbacks = [_bar(keras, config.epochs, steps)] if progress else []
    with callbacks[0].bar if progress else contextlib.nullcontext():
        fitted = model.fit(
            batches("train", shuffle=True),
            validation_data=batches("validation", shuffle=False),
            epochs=config.epochs,
            shuffle=False,  # the batches are already
            verbose=0,
            callbacks=callbacks,
        )
    if not np.isfinite(fitted.history["loss"]).all():
        raise MotionletError(
            f"training diverged with learning_rate {config.learning_rate}; try a lower one"
        )
    return {
        name.replace("val_", "validation_"): [round(float(v), 5) for v in values]
        for name, values in fitted.history.items()
    }


def _bar(keras, epochs, steps):
    """Return a Keras callback that moves its `bar`, a rich Progress."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    class Bar(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[figures]}"),
                TimeRemainingColumn(),
            )
            self.task = self.bar.add_task("training", total=epochs * steps, figures="")
            self.validation = ""

        def on_epoch_begin(self, epoch, logs=None):
            self.bar.update(self.task, description=f"epoch {epoch + 1}/{epochs}")

        def on_train_batch_end(self, batch, logs=None):
            figures = f"loss {logs['loss']:.3f}  accuracy {logs['accuracy']:.1%}{self.validation}"
            self.bar.update(self.task, advance=1, figures=figures)

        def on_epoch_end(self, epoch, logs=None):
            self.validation = f"  validation {logs['val_accuracy']:.1%}"

    return Bar()


def _write(path, write):
    """Write the file by `write(path)` under another name first, so that it is whole or absent."""
    partial = path.with_name(f"partial-{path.name}")
    try:
        write(partial)
        os.replace(partial, path)
    except OSError as error:
        raise MotionletError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        partial.unlink(missing_ok=True)
