"""`train`: from a `TrainConfig` to a run folder."""

import contextlib
import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from host_sdk.data import fingerprint, load_task
from host_sdk.errors import MotionletError
from host_sdk.files import check_folder, check_links, make_folder, read, write_json
from host_sdk.format.normalization import PIXELS
from host_sdk.networks import answers, build_network, import_keras
from host_sdk.networks.float_ops import reach
from host_sdk.train.loop import Loop, load_checkpoint, save_checkpoint
from host_sdk.train.run_folder import CHECKPOINT, COUNTS, open_run, versions, write_run

SEEDS = "seeds.json"


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


def float_logits(model, samples, batch=64, normalization=PIXELS):
    """Run a Keras model over samples [N, T, H, W, C]; return float32 [N, T, classes]."""
    return _logits(model, normalization.run(samples), normalization, batch)


def _logits(model, q, normalization, batch=64):
    parts = (normalization.real(q[i : i + batch]) for i in range(0, len(q), batch))
    return np.concatenate([np.asarray(model(part)) for part in parts])


def accuracy(network, logits, labels):
    """Return the share of clips whose last answer is their label.

    `logits` [N, T, classes] may be floats or the int8 of a quantized network.
    """
    last = np.asarray(answers(network, np.asarray(logits, np.float32)))[:, -1]
    return float(np.mean(np.argmax(last, axis=-1) == labels))


def train(config, out_dir, progress=True, resume=False, on_step=None, tell=None):
    """Train as `config` says; write model.keras and train.json into `out_dir`.

    The same config gives the same weights on the same machine and versions. While it goes on, a
    checkpoint lies in `out_dir`; with `resume` it goes on from there, and the result is as if it
    had never stopped. `progress` shows a bar; `on_step(state)` is called after each step,
    `tell(text)` with what is worth knowing before it starts. Returns
    a `TrainResult`. Raises `Stopped` when the user presses Ctrl-C.
    """
    out_dir = Path(out_dir)
    check_folder(out_dir)
    check_links(out_dir)
    checkpoint = out_dir / CHECKPOINT
    saved = load_checkpoint(checkpoint) if resume else None
    if saved:
        _refuse_changes(saved[0]["config"], dataclasses.asdict(config))
    task = load_task(config.task, config.data)
    if len(task.LABELS) < 2:
        raise MotionletError(f"{config.task} has one class only, {task.LABELS[0]!r}; want two")
    keras = import_keras()
    _make_deterministic(keras, config.seed)
    model = build_network(config.network, task.FRAME_SHAPE, len(task.LABELS), **config.options)
    reach_frames = reach(model)
    if tell and (warning := short_sighted(config, reach_frames)):
        tell(warning)
    normalization = task.NORMALIZATION
    teacher = _open_teacher(config.teacher, task) if config.teacher else None
    data, hashes = _load(config, task, normalization)
    about = {"config": dataclasses.asdict(config), "data_sha256": hashes}
    if teacher:
        about["teacher_sha256"] = hashlib.sha256(read(teacher.folder / "model.keras")).hexdigest()
        teacher = _teacher_logits(teacher, normalization, data["train"][0])
    make_folder(out_dir)
    loop = Loop(model, config, data, normalization, teacher)
    if saved:
        for name in ("data_sha256", "teacher_sha256"):
            if saved[0].get(name) != about.get(name):
                what = name.removesuffix("_sha256")
                raise MotionletError(f"cannot resume: the {what} changed since; start afresh")
        loop.restore(*saved[1:])

    shown = _bar(config, loop.steps) if progress else contextlib.nullcontext()
    with shown as show:

        def step(state):
            if show:
                show(state)
            if on_step:
                on_step(state)

        history = loop.run(lambda: save_checkpoint(checkpoint, about, loop), step, show)

    record = {
        **about,
        "labels": list(task.LABELS),
        "normalization": normalization.to_dict(),
        "reach_frames": reach_frames,
        "parameters": sum(int(np.prod(w.shape)) for w in model.trainable_weights),
        "accuracy": {
            split: accuracy(config.network, _logits(model, q, normalization), labels)
            for split, (q, labels) in data.items()
            if split != "train"
        },
        "history": history,
        "training_seconds": round(loop.state.seconds, 1),
        "versions": versions("tensorflow", "keras", "numpy", "scikit-learn"),
    }
    write_run(out_dir, model, record)
    return TrainResult(model, out_dir / "model.keras", record)


def short_sighted(config, reach_frames):
    """Return a warning if an answer depends on fewer frames than a clip has; None if not."""
    if config.network == "per_frame" or reach_frames >= config.frames:
        return None  # it is to remember nothing; its answer is a mean over the clip
    return (
        f"answers of {config.network} depend on the last {reach_frames} frames, and a clip has "
        f"{config.frames}: what is over before then is not seen. `host_sdk networks` says how far "
        "the others look back"
    )


def saved_config(out_dir):
    """Return the config, a dict, of the training whose checkpoint lies in `out_dir`."""
    path = Path(out_dir) / CHECKPOINT
    if not path.exists() and (path.parent / "train.json").exists():
        raise MotionletError(
            f"nothing to resume: the training in {out_dir} is done; without --resume it starts anew"
        )
    return load_checkpoint(path)[0]["config"]


def train_seeds(config, out_dir, count, progress=True, resume=False, tell=None):
    """Train with `count` seeds from `config.seed` on, into out_dir/seed0, seed1 …

    Writes seeds.json beside them and returns what it holds: the test accuracy of each seed, their
    mean and standard deviation. With `resume`, seeds that are done stay.
    """
    out_dir = Path(out_dir)
    check_links(out_dir)
    accuracies = {}
    for seed in range(config.seed, config.seed + count):
        folder, one = out_dir / f"seed{seed}", dataclasses.replace(config, seed=seed)
        if resume and _is_done(folder, one):
            record = open_run(folder).record
        else:
            unfinished = (folder / CHECKPOINT).exists()
            record = train(one, folder, progress, resume and unfinished, tell=tell).record
            tell = None  # once is enough
        accuracies[seed] = record["accuracy"]["test"]
    values = list(accuracies.values())
    summary = {
        "config": dataclasses.asdict(config),
        "test_accuracy": accuracies,
        "mean": float(np.mean(values)),
        "standard_deviation": float(np.std(values, ddof=1)) if count > 1 else 0.0,
    }
    write_json(out_dir / SEEDS, summary)
    return summary


def _is_done(folder, config):
    if not (folder / "train.json").exists():
        return False
    _refuse_changes(open_run(folder).config, dataclasses.asdict(config))
    return not (folder / CHECKPOINT).exists()


def _refuse_changes(old, new):
    old, new = _flat(old), _flat(new)
    changed = [
        f"{name} {old.get(name)!r}, now {new.get(name)!r}"
        for name in {**old, **new}
        if old.get(name) != new.get(name)
    ]
    if changed:
        raise MotionletError(f"cannot resume: it was started with {'; '.join(changed)}")


def _flat(config):
    """Return a config in which each option of `data` and of the network has its own entry."""
    flat = {name: value for name, value in config.items() if not isinstance(value, dict)}
    for name in config.keys() - flat.keys():
        flat |= {f"{name}: {key}": value for key, value in config[name].items()}
    return flat


def _load(config, task, normalization):
    """Return ({split: (q, labels)}, {split: SHA-256 of its clips})."""
    data, hashes = {}, {}
    for split, count in COUNTS.items():
        samples, labels = task.make_clips(getattr(config, count), config.frames, split, config.seed)
        hashes[split] = fingerprint(samples, labels)
        data[split] = normalization.run(samples), labels
    if len(np.unique(data["train"][1])) < 2:
        name = task.LABELS[data["train"][1][0]]
        raise MotionletError(f"all clips to train on are of one class, {name!r}; want two")
    return data, hashes


def _open_teacher(folder, task):
    """Return the run in `folder`; raises MotionletError if it is of another kind of task."""
    run = open_run(folder)
    if run.labels != list(task.LABELS):
        raise MotionletError(f"the teacher {folder} knows other classes: {run.labels}")
    if run.normalization.to_dict() != task.NORMALIZATION.to_dict():
        raise MotionletError(f"the teacher {folder} was trained on other input values")
    frame = tuple(run.load_network().inputs[0].shape[2:])
    if frame != tuple(task.FRAME_SHAPE):
        raise MotionletError(
            f"the teacher {folder} takes frames of {frame}, the task has {tuple(task.FRAME_SHAPE)}"
        )
    return run


def _teacher_logits(run, normalization, q):
    """Return the teacher's logits for clips, float32 [N, T, classes]."""
    logits = _logits(run.load_network(), q, normalization)
    return np.asarray(answers(run.config["network"], logits))


def _make_deterministic(keras, seed):
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)


@contextlib.contextmanager
def _bar(config, steps):
    """Yield a function that shows a state: of an epoch under way, or of one just judged."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("training", total=config.epochs * steps, figures="")

        def show(state):
            history, judged = state.history, not state.step
            loss, right = history["loss"][-1:], history["accuracy"][-1:]
            if not judged:
                loss, right = [state.loss / state.clips], [state.right / state.clips]
            figures = f"loss {loss[0]:.3f}  accuracy {right[0]:.1%}"
            if history["validation_accuracy"]:
                when = "" if judged else " before"  # of the epoch shown, or of the one before it
                figures += f"  validation{when} {history['validation_accuracy'][-1]:.1%}"
            bar.update(
                task,
                completed=state.epoch * steps + state.step,
                description=f"epoch {state.epoch + 1 - judged}/{config.epochs}",
                figures=figures,
            )

        yield show
