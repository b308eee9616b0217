"""The epochs: steps of Adam on batches, that can be stopped anywhere and resumed exactly.

Nothing random happens but the order of the clips, and that follows from seed and epoch. So a
checkpoint with all variables and the place in the epoch is enough to go on as if nothing had been.
"""

import contextlib
import io
import json
import signal
import threading
import time
from dataclasses import asdict, dataclass, field

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.files import read_arrays, write
from host_sdk.networks import answers, import_keras

FIGURES = ("loss", "accuracy", "validation_loss", "validation_accuracy")


class Stopped(MotionletError):
    """Training was interrupted, and its checkpoint written."""


@dataclass
class State:
    """How far a training has come."""

    epoch: int = 0
    step: int = 0  # batches done in this epoch
    loss: float = 0.0  # sum over the clips of this epoch so far
    right: int = 0  # clips of this epoch answered rightly
    clips: int = 0
    seconds: float = 0.0
    history: dict = field(default_factory=lambda: {name: [] for name in FIGURES})


class Loop:
    """Trains `model` on `data`: {"train", "validation"} -> (q, labels).

    q is int8 [N, T, H, W, C], the input of the quantized network; `normalization` makes real values
    of it. `teacher` is None or the logits to learn from, float32 [N, T, classes], for "train".
    """

    def __init__(self, model, config, data, normalization, teacher=None):
        self.config, self.model, self.data, self.teacher = config, model, data, teacher
        self.normalization = normalization
        self.steps = -(-len(data["train"][1]) // config.batch)
        keras = import_keras()
        optimizers = keras.optimizers
        falling = optimizers.schedules.CosineDecay(config.learning_rate, config.epochs * self.steps)
        self.optimizer = optimizers.Adam(falling)
        self.optimizer.build(model.trainable_variables)
        self.state = State()
        self._compile()

    def run(self, save, on_step=None, on_epoch=None):
        """Run what is left of the epochs; return the history, {figure: [value of each epoch]}.

        `save()` is called after each epoch, and when the user interrupts; then `Stopped` is raised.
        `on_step(state)` is called after each step, `on_epoch(state)` once an epoch was judged.
        """
        state, epochs = self.state, self.config.epochs
        begin = time.monotonic() - state.seconds
        with _interrupts() as interrupted:
            while state.epoch < epochs:
                self._step()
                state.seconds = time.monotonic() - begin
                if on_step:
                    on_step(state)
                if state.step == self.steps:
                    self._end_epoch()
                    if on_epoch:
                        on_epoch(state)
                    if state.epoch < epochs:
                        save()
                if interrupted() and state.epoch < epochs:
                    save()
                    raise Stopped(
                        f"stopped in epoch {state.epoch + 1} of {epochs}; "
                        "with --resume it goes on from there"
                    )
        return {name: [round(v, 5) for v in values] for name, values in state.history.items()}

    def dump(self):
        """Return (description, arrays) of everything that changes while training."""
        variables = [*self.model.variables, *self.optimizer.variables]
        return asdict(self.state), [np.asarray(v) for v in variables]

    def restore(self, state, arrays):
        """Undo `dump`."""
        variables = [*self.model.variables, *self.optimizer.variables]
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
        self.state = State(**state)

    def _step(self):
        state, config = self.state, self.config
        q, labels = self.data["train"]
        order = np.random.default_rng([config.seed, state.epoch]).permutation(len(labels))
        rows = order[state.step * config.batch :][: config.batch]
        teacher = None if self.teacher is None else self.teacher[rows]
        loss, right = self._train_on(q[rows], labels[rows], teacher)
        if not np.isfinite(loss):
            raise MotionletError(
                f"training diverged with learning_rate {config.learning_rate}; try a lower one"
            )
        state.loss += float(loss) * len(rows)
        state.right += int(right)
        state.clips += len(rows)
        state.step += 1

    def _end_epoch(self):
        state = self.state
        q, labels = self.data["validation"]
        sums = np.zeros(2)
        for i in range(0, len(labels), self.config.batch):
            part = slice(i, i + self.config.batch)
            loss, right = self._judge(q[part], labels[part])
            sums += float(loss) * len(labels[part]), int(right)
        done = (state.loss / state.clips, state.right / state.clips, *sums / len(labels))
        for name, value in zip(FIGURES, done, strict=True):
            state.history[name].append(float(value))
        state.epoch += 1
        state.step, state.loss, state.right, state.clips = 0, 0.0, 0, 0

    def _compile(self):
        import tensorflow as tf

        model, config, optimizer = self.model, self.config, self.optimizer
        scale, zero_point = self.normalization.scale, self.normalization.zero_point

        def logits(q, training):
            real = (tf.cast(q, tf.float32) - zero_point) * scale
            return answers(config.network, model(real, training=training))

        def loss_and_right(given, labels):
            counted = given[:, config.warm_up :]
            repeated = tf.repeat(labels[:, None], counted.shape[1], axis=1)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(repeated, counted)
            right = tf.reduce_sum(tf.cast(tf.argmax(given[:, -1], axis=-1) == labels, tf.int32))
            return tf.reduce_mean(losses), right

        def distance(given, teacher):
            """KL divergence at a temperature, times its square (Hinton et al., 2015)."""
            wanted = tf.nn.log_softmax(teacher[:, config.warm_up :] / config.temperature)
            got = tf.nn.log_softmax(given[:, config.warm_up :] / config.temperature)
            kl = tf.reduce_sum(tf.exp(wanted) * (wanted - got), axis=-1)
            return tf.reduce_mean(kl) * config.temperature**2

        @tf.function
        def train_on(q, labels, teacher):
            with tf.GradientTape() as tape:
                given = logits(q, training=True)
                loss, right = loss_and_right(given, labels)
                if teacher is not None:
                    share = config.teacher_weight
                    loss = (1 - share) * loss + share * distance(given, teacher)
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply(gradients, model.trainable_variables)
            return loss, right

        @tf.function
        def judge(q, labels):
            return loss_and_right(logits(q, training=False), labels)

        self._train_on, self._judge = train_on, judge


@contextlib.contextmanager
def _interrupts():
    """Yield a function that tells whether Ctrl-C was pressed; a second one ends the program."""
    asked = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return

    def note(number, frame):
        asked.append(number)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)


def save_checkpoint(path, about, loop):
    """Write what `about` (a dict for JSON) and `loop` hold: a numpy .npz archive."""
    state, arrays = loop.dump()
    buffer = io.BytesIO()
    description = json.dumps({"about": about, "state": state})
    np.savez(buffer, description=description, **{f"{i}": a for i, a in enumerate(arrays)})
    write(path, buffer.getvalue())


def load_checkpoint(path):
    """Return (about, state, arrays) of a checkpoint. MotionletError when there is none."""
    if not path.exists():
        raise MotionletError(f"nothing to resume: there is no {path}")
    kind = "a checkpoint of `host_sdk train`"
    arrays = read_arrays(path, kind)
    try:
        description = json.loads(str(arrays.pop("description")))
        in_order = [arrays[f"{i}"] for i in range(len(arrays))]
        return description["about"], description["state"], in_order
    except (ValueError, KeyError, TypeError, RecursionError):
        raise MotionletError(f"{path}: not {kind}") from None
