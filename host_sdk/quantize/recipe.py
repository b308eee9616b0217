"""From a run folder to a quantized graph and a record of how it came about: `quantize_run`."""

from dataclasses import asdict, dataclass, replace

from host_sdk.errors import MotionletError
from host_sdk.networks.float_ops import trace
from host_sdk.quantize.aware import train_rounded
from host_sdk.quantize.bit_widths import choose_int4, file_bytes, weight_bytes
from host_sdk.quantize.post_training import describe, input_tensor, post_training, real_input
from host_sdk.train.run_folder import CALIBRATION_CLIPS, versions


@dataclass(frozen=True)
class Recipe:
    """Everything that decides how a trained network is quantized."""

    method: str = "mse"  # how the ranges of activations are chosen
    clips: int = CALIBRATION_CLIPS  # of the training, to calibrate with
    equalize: bool | None = None  # None: what brings the answers nearer to the float ones
    correct_bias: bool | None = None
    int4: tuple = ()  # names of ops, or "all"
    bytes: int | None = None  # most that the .mlet file may have; chooses int4
    weights_share: float | None = None  # the same for the weights' bytes, of those with 8 bits
    qat_epochs: int = 0  # passes over the training clips with the rounding in place
    seed: int = 0  # of these

    def __post_init__(self):
        if self.bytes is not None and self.weights_share is not None:
            raise MotionletError("a budget is one of the file's bytes or one of the weights'")
        if self.int4 and (self.bytes is not None or self.weights_share is not None):
            raise MotionletError("a budget chooses the layers of 4 bits; do not name them as well")
        if self.weights_share is not None and not 0 < self.weights_share <= 1:
            raise MotionletError(f"a budget is above 0% and at most 100%, not {self.weights_share}")
        if self.bytes is not None and self.bytes < 1:
            raise MotionletError(f"a budget is 1 byte at least, not {self.bytes}")
        for name, least in (("clips", 1), ("qat_epochs", 0)):
            if getattr(self, name) < least:
                raise MotionletError(f"{name} must be at least {least}, not {getattr(self, name)}")


def quantize_run(run, recipe=Recipe(), tell=None):
    """Quantize the network of a `run_folder.Run` as `recipe` says; write nothing.

    Returns the graph and what `quantize.json` is to hold. `tell(done, total)` hears of every step
    of training.
    """
    model, normalization = run.load_network(), run.normalization
    samples, _ = run.make_clips("train", recipe.clips)
    frames, clips = input_tensor(model, normalization), real_input(model, samples, normalization)
    ops = trace(model)

    about = run.labels, run.task.FRAMES_PER_SECOND, normalization

    def quantized_with(int4):
        result = post_training(
            ops, frames, clips, recipe.method, int4, recipe.equalize, recipe.correct_bias
        )
        return replace(result, graph=describe(result.graph, *about))

    result = quantized_with(recipe.int4)
    int8_bytes = weight_bytes(result.graph)
    measure, most = file_bytes, recipe.bytes
    if recipe.weights_share is not None:
        measure, most = weight_bytes, int(recipe.weights_share * int8_bytes)
    if most is not None:
        chosen = choose_int4(result, clips, measure, most)
        result = quantized_with(chosen) if chosen else result
    if recipe.qat_epochs:
        samples, _ = run.make_clips("train")
        int8 = normalization.run(samples)
        result = train_rounded(
            result, int8, normalization.real, recipe.qat_epochs, recipe.seed, tell
        )
    graph = result.graph
    return graph, {
        "recipe": asdict(recipe),
        "equalized": result.equalized,
        "bias_corrected": result.bias_corrected,
        "trained": result.trained,
        "int4": [op.name for op in graph.ops if op.weight_bits == 4],
        "logit_error": result.error,
        "weight_bytes": weight_bytes(graph),
        "file_bytes": file_bytes(graph),
        "versions": versions("tensorflow", "keras", "numpy", "scipy"),
    }
