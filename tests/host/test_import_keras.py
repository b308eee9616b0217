"""`host_sdk import` of Keras models: networks of plain layers become the same function."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from keras_models import PLAIN, shaken, smooth_clips

from host_sdk import golden, quantize
from host_sdk.cli import main
from host_sdk.errors import MotionletError
from host_sdk.format.graph import load_graph
from host_sdk.importing.keras_file import import_model, pixels_of
from host_sdk.networks import NETWORKS, build_network, import_keras
from host_sdk.networks.float_ops import form_of
from host_sdk.pack import mlet_file, planner
from host_sdk.quantize.post_training import as_clips

keras = import_keras()
layers = keras.layers

# Keras itself trips over numpy's new __array__ protocol.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def padded_separable():
    """Images with a Rescaling in front, padding by layers, MobileNet's pieces."""
    x = image = keras.Input((17, 15, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    x = layers.ZeroPadding2D(((0, 1), (1, 1)))(x)
    x = layers.Conv2D(8, 3, strides=2, use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(max_value=6)(x)
    x = layers.SeparableConv2D(12, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    x = layers.ZeroPadding2D(1)(x)
    x = layers.DepthwiseConv2D(3, activation="relu6")(x)
    x = layers.Conv2D(8, 1, strides=2)(x)
    x = layers.SpatialDropout2D(0.2)(x)
    x = layers.GlobalMaxPooling2D()(x)
    return keras.Model(image, layers.Dense(5, activation="softmax")(x))


def before_activation():
    """A residual network that normalizes and activates in front of its convolutions."""
    x = image = keras.Input((12, 10, 1))
    x = layers.DepthwiseConv2D(3, depth_multiplier=8, padding="same")(x)
    for _ in range(2):
        y = layers.Activation("relu")(layers.BatchNormalization()(x))
        y = layers.Conv2D(8, 3, padding="same")(y)
        x = layers.Add()([x, layers.ReLU()(y)])
    x = layers.Activation("relu6")(x) + x
    x = layers.AveragePooling2D((3, 2))(x)
    x = layers.Dense(6)(layers.Reshape((-1,))(x))
    return keras.Model(image, layers.Activation("sigmoid")(x))


def temporal_convolutions():
    """A TCN of features: dilated, causal, an answer to each frame."""
    x = series = keras.Input((None, 10))
    x = layers.Conv1D(8, 3, padding="causal", activation="relu")(x)
    y = layers.ZeroPadding1D((4, 0))(x)
    y = layers.SeparableConv1D(8, 3, dilation_rate=2)(y)
    y = layers.BatchNormalization()(y)
    x = layers.Add()([x, layers.ReLU()(y)])
    x = layers.Conv1D(6, 2, padding="causal", dilation_rate=3)(x)
    return keras.Model(series, layers.Dense(4)(x))


def video():
    """Clips of 9 frames, answered once: convolutions over picture and time, by valid windows."""
    x = clip = keras.Input((9, 8, 10, 1))
    x = layers.ZeroPadding3D(((0, 0), (1, 1), (1, 1)))(x)
    x = layers.Conv3D(8, (2, 3, 3), strides=(1, 2, 2), activation="relu")(x)
    x = layers.MaxPooling3D((1, 2, 2))(x)
    x = layers.Conv3D(8, (3, 1, 1))(x)
    x = layers.TimeDistributed(layers.Conv2D(6, 2, padding="same"))(x)
    x = layers.BatchNormalization()(x)
    x = layers.GlobalAveragePooling3D()(x)
    return keras.Model(clip, layers.Dense(3)(x))


def model_in_model():
    """A vector that becomes an image, and a model as a layer."""
    base = keras.Sequential(
        [keras.Input((6, 8, 4)), layers.Conv2D(8, 3, activation="relu"), layers.Dropout(0.1)]
    )
    stack = [keras.Input((192,)), layers.Reshape((6, 8, 4)), base]
    stack += [layers.Conv2D(8, 1), layers.GlobalAveragePooling2D(), layers.Flatten()]
    return keras.Sequential([*stack, layers.Dense(3), layers.Softmax()])


# By network: its ops, and what it leaves out at the end.
NETWORKS_OF_OTHERS = {
    padded_separable: (
        "depthwise2d conv2d depthwise2d pointwise max_pool2d depthwise2d conv2d max_pool2d dense",
        "softmax",
    ),
    before_activation: (
        "conv2d " + "depthwise2d conv2d add " * 2 + "max_pool2d add average_pool dense",
        "sigmoid",
    ),
    temporal_convolutions: (
        "pointwise temporal_shift temporal_shift pointwise temporal_depthwise pointwise add "
        "pointwise temporal_shift temporal_shift pointwise dense",
        None,
    ),
    video: (
        "pointwise temporal_shift conv2d max_pool2d pointwise temporal_shift pointwise conv2d "
        "average_pool temporal_average dense",
        None,
    ),
    model_in_model: ("conv2d pointwise average_pool dense", "softmax"),
}
END = {"softmax": keras.ops.softmax, "sigmoid": keras.ops.sigmoid, None: lambda x: x}
BY_NAME = pytest.mark.parametrize("build", NETWORKS_OF_OTHERS, ids=lambda f: f.__name__)


def samples_for(model, count=4):
    rng = np.random.default_rng(6)
    shape = [n or 8 for n in model.inputs[0].shape[1:]]
    return rng.normal(0.2, 1, (count, *shape)).astype(np.float32)


@BY_NAME
def test_float_ops_compute_what_keras_does(build):
    model = shaken(build(), seed=2)
    ops = quantize.trace(model)
    kinds, end = NETWORKS_OF_OTHERS[build]
    assert [op.kind for op in ops] == kinds.split()
    samples = samples_for(model)
    wanted = np.asarray(model(samples))
    got = quantize.Simulation(ops).all_logits(as_clips(model, samples))
    got = got if form_of(model).answers else got[:, -1]
    np.testing.assert_allclose(np.asarray(END[end](got)), wanted, rtol=2e-4, atol=2e-5)
    assert np.std(wanted) > 0.01


@BY_NAME
def test_integers_are_near(build):
    """The graph runs frame by frame, packed, next to the float network."""
    model = shaken(build(), seed=2)
    samples = samples_for(model)
    imported = import_model(model, samples)
    graph = mlet_file.read(mlet_file.pack(imported.graph, planner.plan(imported.graph)))[0]
    given, target = graph.tensors[0], graph.tensors[graph.outputs[0]]
    clips = as_clips(model, samples)
    wanted = quantize.Simulation(quantize.trace(model)).all_logits(clips)
    stream = golden.Stream(graph)
    for clip, logits in zip(clips, wanted, strict=True):
        stream.reset()
        for frame, real in zip(clip, logits, strict=True):
            q = np.rint(frame / given.scale) + given.zero_point
            y = stream.push(np.clip(q, -128, 127).astype(np.int8)).ravel()
            y = (y.astype(float) - target.zero_point) * target.scale
            assert np.abs(y - real).max() < 0.12 * np.ptp(wanted), np.abs(y - real).max()


def test_rescaling_in_front_says_what_pixels_are():
    model = shaken(padded_separable(), seed=2)
    pixels = smooth_clips(4, 1, 17, 15, 3)[:, 0]
    inner, normalization = pixels_of(model)
    assert [type(x).__name__ for x in inner.layers[:2]] == ["InputLayer", "ZeroPadding2D"]
    seen = normalization.real(normalization.run(pixels[:, None]))[:, 0]
    assert np.abs(seen - (pixels / 127.5 - 1)).max() < 0.004  # half a grey level
    graph = import_model(model, pixels, labels=list("abcde")).graph
    assert graph.labels == list("abcde")
    assert (graph.input.pixel_format, graph.input_tensor.zero_point) == ("rgb888", -1)
    logits = golden.run_clip(graph, pixels)[-1].reshape(4, 5)
    assert np.array_equal(logits.argmax(-1), np.asarray(model(pixels)).argmax(-1))


@pytest.mark.parametrize(("ends", "zero_point"), [((0, 255), -128), ((-1, 1), -1), ((-2, 1), 42)])
def test_what_black_and_white_are(ends, zero_point):
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(2, 1)])
    normalization = pixels_of(model, ends)[1]
    assert normalization.zero_point == zero_point
    seen = normalization.real(
        normalization.run(np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1))
    )
    wanted = ends[0] + np.arange(256) * (ends[1] - ends[0]) / 255
    assert np.abs(seen.ravel() - wanted).max() <= 0.51 * (ends[1] - ends[0]) / 255
    with pytest.raises(MotionletError, match="black and white as 1 and 2"):
        pixels_of(model, (1, 2))


def plain(layer):
    """Return the layer of Keras's own that does what one of ours does, where there is one."""
    kind = type(layer).__name__
    if kind == "EachFrame":
        return layers.TimeDistributed(
            type(layer.layer).from_config(layer.layer.get_config()), name=layer.name
        )
    if kind == "BatchNormalization":
        return layers.BatchNormalization.from_config(layer.get_config())
    if kind != "TemporalDepthwise":
        return type(layer).from_config(layer.get_config())
    past = (layer.frames - 1) * layer.dilation
    channels = layer.kernel.shape[1]
    given = {"groups": channels, "use_bias": layer.use_bias, "name": layer.name}
    if len(layer.input.shape) == 3:
        convolution = layers.Conv1D(channels, layer.frames, dilation_rate=layer.dilation, **given)
        return keras.Sequential([layers.ZeroPadding1D((past, 0)), convolution])
    dilation = (layer.dilation, 1, 1)
    convolution = layers.Conv3D(channels, (layer.frames, 1, 1), dilation_rate=dilation, **given)
    return keras.Sequential([layers.ZeroPadding3D(((past, 0), (0, 0), (0, 0))), convolution])


@pytest.mark.parametrize("name", NETWORKS)
def test_families_of_plain_layers_are_the_same_to_the_byte(name):
    """Each of our families, made of Keras's layers wherever it has them: the same file."""
    model = shaken(build_network(name, (16, 16, 1), 5), seed=3)
    rebuilt = keras.models.clone_model(model, clone_function=plain)
    kinds = {type(x).__module__.split(".")[0] for x in rebuilt.layers}
    assert kinds == {"keras"} or name not in ("per_frame", "late_fusion"), kinds
    for old, new in zip(model.layers, rebuilt.layers, strict=True):
        weights = [w for w in old.weights if "seed" not in w.path]
        assert len(weights) == len(new.weights)
        for source, target in zip(weights, new.weights, strict=True):
            target.assign(np.reshape(source, target.shape))
    clips = smooth_clips(3, 4, 16, 16, 1)
    files = []
    for one in (model, rebuilt):
        graph = quantize.quantize(one, clips, **PLAIN)
        files.append(mlet_file.pack(graph, planner.plan(graph)))
    assert files[0] == files[1]


# What is refused


def test_a_layer_used_twice_is_two_ops():
    clip, layer = keras.Input((None, 6)), layers.Conv1D(6, 2, padding="causal")
    model = shaken(keras.Model(clip, layer(layer(clip))))
    samples = samples_for(model)
    got = quantize.Simulation(quantize.trace(model)).all_logits(as_clips(model, samples))
    np.testing.assert_allclose(got, np.asarray(model(samples)), rtol=2e-4, atol=2e-5)


def stack(shape, *rest):
    return lambda: keras.Sequential([keras.Input(shape), *rest])


def late_then_padded():
    return keras.Sequential(
        [keras.Input((9, 4)), layers.Conv1D(4, 3), layers.Conv1D(4, 3, padding="causal")]
    )


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (stack((8, 4), layers.LSTM(3)), r"\(LSTM\).* a recurrent layer; use .*causal Conv1D"),
        (stack((8, 4), layers.Conv1D(3, 3, padding="same")), "frames that are still to come"),
        (stack((8, 4), layers.Conv1D(3, 3, strides=2)), "has a stride along time"),
        (stack((8, 4), layers.ZeroPadding1D((3, 0)), layers.Conv1D(3, 3)), "3 and 0 frames"),
        (late_then_padded, "begins late"),
        (stack((None, 4), layers.GlobalAveragePooling1D()), "how many there are"),
        (stack((8, 4), layers.MaxPooling1D(2)), "nearest is TemporalAverage"),
        (stack((6, 6, 2), layers.ZeroPadding2D(3), layers.Conv2D(2, 3)), "in the padding alone"),
        (stack((6, 6, 2), layers.ZeroPadding2D(1), layers.MaxPooling2D(3)), "counts padded zeros"),
        (stack((6, 6, 2), layers.ZeroPadding2D(1), layers.Flatten()), "reads a padded map"),
        (stack((6, 6, 2), layers.Softmax(), layers.Conv2D(2, 1)), "it can only come last"),
        (stack((6, 6, 2), layers.Conv2D(2, 1), layers.Reshape((36, 2))), "which moves values"),
        (stack((6, 6, 2), layers.Activation("gelu")), "'gelu', which cannot be exported; the near"),
        (stack((6, 6, 2), layers.LeakyReLU()), "the nearest is ReLU"),
        (stack((6, 6, 2), layers.Conv2D(4, 1, groups=2)), "has 2 groups"),
        (stack((None, 6, 2), layers.Conv2D(4, 1)), r"want \(batch, time, height"),
    ],
)  # fmt: skip
def test_refused(build, message):
    with pytest.raises(MotionletError, match=message):
        quantize.trace(build())


def test_everything_wrong_is_told_at_once():
    model = stack(
        (8, 8, 2),
        layers.UpSampling2D(),
        layers.Conv2D(4, 3),
        layers.BatchNormalization(),
        layers.LeakyReLU(name="leaky"),
        layers.LayerNormalization(name="layer"),
    )()
    with pytest.raises(MotionletError) as error:
        quantize.trace(model)
    lines = str(error.value).splitlines()
    assert lines[0] == "3 of 5 layers cannot be exported:"
    for line, words in zip(
        lines[1:], ("1: layer 'up", "4: layer 'leaky'", "5: layer 'layer'"), strict=True
    ):
        assert words in line
    assert "the nearest is BatchNormalization" in lines[3]


# The command


@pytest.fixture
def cli(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*words):
        result = CliRunner().invoke(main, ["import", *map(str, words)])
        assert result.exception is None or isinstance(result.exception, SystemExit), (
            result.exception
        )
        return result.exit_code, " ".join(result.output.split())

    return run


def test_a_model_and_an_array(cli, tmp_path):
    model = shaken(temporal_convolutions(), seed=1)
    model.save(tmp_path / "tcn.keras")
    np.save(tmp_path / "data.npy", samples_for(model))
    assert cli("tcn.keras", "--data", "data.npy", "--labels", "a,b,c,d", "--fps", "20")[0] == 0
    graph = load_graph(tmp_path / "tcn.graph")
    assert (graph.labels, graph.frames_per_second) == (list("abcd"), 20)
    assert graph.input.pixel_format == "raw"


def test_a_model_and_a_folder(cli, tmp_path):
    """A run folder, which can be packed and evaluated."""
    model = shaken(keras.Sequential([
        keras.Input((12, 10, 1)), layers.Conv2D(4, 3, activation="relu"),
        layers.GlobalAveragePooling2D(), layers.Dense(2, activation="softmax"),
    ]))  # fmt: skip
    model.save(tmp_path / "still.keras")
    for number, clip in enumerate(smooth_clips(16, 6, 12, 10, 1)):
        folder = tmp_path / "clips" / ("left", "right")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{number}.npy", clip)
    code, output = cli("still.keras", "--data", "clips", "--frames", "4")
    assert code == 0, output
    assert "softmax left out" in output
    record = json.loads((tmp_path / "still/train.json").read_text())
    assert (record["labels"], record["config"]["frames"]) == (["left", "right"], 4)
    result = CliRunner().invoke(main, ["evaluate", "still", "--background-minutes", "0.1"])
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "still/evaluate.json").read_text())
    assert found["data_changed"] is False
    assert found["accuracy"]["same_answer"]["value"] > 0.7


def test_wrong_input(cli, tmp_path):
    model = shaken(before_activation())
    model.save(tmp_path / "net.keras")
    np.save(tmp_path / "ints.npy", np.zeros((2, 12, 10, 1), np.int32))
    np.save(tmp_path / "nan.npy", np.full((2, 12, 10, 1), np.nan, np.float32))
    np.save(tmp_path / "small.npy", np.zeros((2, 4, 4, 1), np.uint8))
    np.save(tmp_path / "good.npy", np.zeros((2, 12, 10, 1), np.uint8))
    (tmp_path / "text.keras").write_text("no model")
    (tmp_path / "old.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    (tmp_path / "net.onnx").write_bytes(b"\x08\x07\x12\x04test")
    (tmp_path / "archive.keras").write_bytes(b"PK\3\4 and so on")
    (tmp_path / "folder").mkdir()
    for words, message in (
        (["none.keras"], "none.keras: No such file"),
        (["folder"], "folder is a folder; want a .keras or an int8 .tflite file"),
        (["text.keras"], "text.keras is of no known kind"),
        (["old.h5"], "is HDF5, as older Keras wrote it"),
        (["net.onnx"], "is ONNX or another protocol buffer"),
        (["archive.keras"], "is a zip archive, but no Keras model"),
        (["net.keras"], "give --data a folder of clips, or an array"),
        (["net.keras", "--data", "none.npy"], "none.npy: No such file"),
        (["net.keras", "--data", "ints.npy"], "ints.npy holds int32; want uint8 pixels, or floats"),
        (["net.keras", "--data", "nan.npy"], "not finite numbers"),
        (["net.keras", "--data", "small.npy"], "are (4, 4, 1), the network takes (12, 10, 1)"),
        (["net.keras", "--data", "good.npy", "--labels", "a,b"], "2 labels for 6 outputs"),
        (["net.keras", "--data", "good.npy", "--pixels", "1"], "--pixels 1: want LOW,HIGH"),
        (["net.keras", "--data", "folder"], "holds no folder; want one for each class"),
    ):
        before = {path.name for path in tmp_path.iterdir()}
        code, output = cli(*words)
        assert code == 1, words
        assert output.startswith("error: "), output
        assert message in output, (output, message)
        assert before == {path.name for path in tmp_path.iterdir()}, words
