"""`host_sdk import` of int8 `.tflite` files: every layer next to TensorFlow Lite's own kernels."""

import contextlib

import numpy as np
import pytest
from click.testing import CliRunner
from test_tflite import interpreter_of, small_network

from host_sdk import golden, native
from host_sdk.cli import main
from host_sdk.errors import MotionletError
from host_sdk.format.graph import load_graph
from host_sdk.importing.tflite_graph import import_tflite
from host_sdk.networks import import_keras
from host_sdk.pack import mlet_file, planner

keras = import_keras()

import flatbuffers  # noqa: E402
import tensorflow as tf  # noqa: E402
from tensorflow.lite.python import schema_py_generated as schema  # noqa: E402

layers = keras.layers
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*Enabling `experimental_preserve_all_tensors`"),
    pytest.mark.filterwarnings("ignore:Statistics for quantized inputs:UserWarning"),
]


def padded_network():
    """What small_network lacks: padding by an op, asymmetric SAME, maxima, softmax, one channel."""
    x = image = keras.Input((14, 13, 1))
    x = layers.DepthwiseConv2D(3, depth_multiplier=8, strides=2, padding="same")(x)
    x = layers.ZeroPadding2D(((0, 1), (1, 1)))(layers.ReLU()(x))
    x = layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    y = layers.Conv2D(8, 3, padding="same")(x)
    x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.MaxPooling2D(2, strides=1, padding="same")(x)
    x = layers.Dense(6, activation="softmax")(layers.Flatten()(x))
    return keras.Model(image, x)


def converted(model, ends=tf.int8, mode="int8", seed=3):
    """Return a model's .tflite file as bytes."""
    rng = np.random.default_rng(seed)
    for w in model.weights:
        if w.path.endswith("bias"):
            w.assign(rng.normal(0, 0.3, w.shape))
    shape = model.inputs[0].shape[1:]
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if mode == "float":
        return converter.convert()
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if mode == "dynamic":
        return converter.convert()
    data = rng.integers(0, 256, (8, 1, *shape)).astype(np.float32) / 255
    converter.representative_dataset = lambda: ([x] for x in data)
    ops = tf.lite.OpsSet
    converter.target_spec.supported_ops = [
        ops.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        if mode == "int16"
        else ops.TFLITE_BUILTINS_INT8
    ]
    if mode == "int8":
        converter.inference_input_type = converter.inference_output_type = ends
    return converter.convert()


@pytest.fixture(scope="module")
def files():
    """The .tflite files of the networks, by name."""
    keras.utils.set_random_seed(4)
    padded = padded_network()
    return {
        "small": converted(small_network()),
        "padded": converted(padded),
        "uint8": converted(padded, tf.uint8),
        "float ends": converted(padded, tf.float32),
    }


KINDS = {
    "small": "conv2d depthwise2d pointwise add depthwise2d conv2d average_pool pointwise "
    "average_pool dense",
    "padded": "conv2d conv2d conv2d add max_pool2d dense",
}


@pytest.mark.parametrize("name", KINDS)
def test_no_layer_is_further_than_one(files, name, capsys):
    imported = import_tflite(files[name], name)
    graph, places = imported.graph, imported.places
    assert [op.kind for op in graph.ops] == KINDS[name].split()
    interpreter = interpreter_of(files[name], "reference")
    rng, differing, total = np.random.default_rng(1), 0, 0
    shape = graph.input_tensor.shape
    for _ in range(6):
        frame = rng.integers(-128, 128, (1, *shape)).astype(np.int8)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], frame)
        interpreter.invoke()

        def theirs(i):
            return interpreter.get_tensor(places[i]).reshape(1, *graph.tensors[i].shape)

        for op in graph.ops:
            ours = golden.run_op(graph, op, [theirs(i) for i in op.inputs]).astype(int)
            wanted = theirs(op.output).astype(int)
            assert np.ptp(wanted) > 5, op.name  # there is something to differ in
            assert np.abs(ours - wanted).max() <= 1, op.name
            differing += np.count_nonzero(ours != wanted)
            total += ours.size
    with capsys.disabled():
        print(f"\n  {name}: {differing / total:.2%} of a layer's bytes differ by 1")
    assert differing < 0.05 * total


@pytest.mark.parametrize("name", KINDS)
def test_the_packed_model_answers_as_the_file_does(files, name):
    """All layers in a row, in the C core, against the file's own logits."""
    imported = import_tflite(files[name], name)
    graph = imported.graph
    core = native.Stream(native.Model(mlet_file.pack(graph, planner.plan(graph))))
    interpreter = interpreter_of(files[name], "reference")
    rng = np.random.default_rng(2)
    for _ in range(6):
        frame = rng.integers(-128, 128, graph.input_tensor.shape).astype(np.int8)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], frame[None])
        interpreter.invoke()
        wanted = interpreter.get_tensor(imported.places[graph.outputs[0]]).ravel().astype(int)
        got = core.push(frame).ravel().astype(int)
        assert np.abs(got - wanted).max() <= 4
        assert np.ptp(wanted) > 20


def test_tensorflow_lite_micro_agrees(files):
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
    graph = import_tflite(files["small"], "small").graph
    micro, stream = runtime.Interpreter.from_bytes(files["small"]), golden.Stream(graph)
    rng = np.random.default_rng(5)
    for _ in range(6):
        frame = rng.integers(-128, 128, graph.input_tensor.shape).astype(np.int8)
        micro.set_input(frame[None], 0)
        micro.invoke()
        got, wanted = stream.push(frame).ravel().astype(int), micro.get_output(0).ravel()
        assert np.abs(got - wanted.astype(int)).max() <= 4


def test_ends_of_other_types_are_the_same_network(files):
    """uint8 or float at the ends: a QUANTIZE and a DEQUANTIZE that fall away."""
    wanted = import_tflite(files["padded"], "int8").graph
    for name in ("uint8", "float ends"):
        graph = import_tflite(files[name], name).graph
        assert [op.kind for op in graph.ops] == [op.kind for op in wanted.ops]
        assert graph.input == wanted.input
        assert (graph.input.pixel_format, graph.input_tensor.zero_point) == ("gray8", -128)
        for one, other in zip(graph.ops, wanted.ops, strict=True):
            for array in ("weights", "bias", "multiplier", "shift"):
                assert np.array_equal(getattr(one, array), getattr(other, array))


def test_several_inputs_and_outputs():
    a, b = keras.Input((8, 8, 2), name="a"), keras.Input((8, 8, 2), name="b")
    x = layers.Add()([layers.Conv2D(4, 3)(a), layers.Conv2D(4, 3)(b)])
    model = keras.Model([a, b], [layers.Conv2D(3, 1)(x), layers.GlobalAveragePooling2D()(x)])
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    rng = np.random.default_rng(0)
    data = rng.random((8, 2, 1, 8, 8, 2)).astype(np.float32)
    converter.representative_dataset = lambda: (list(pair) for pair in data)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    graph = import_tflite(converter.convert(), "two").graph
    assert len(graph.inputs) == 2
    shapes = sorted(graph.tensors[i].shape for i in graph.outputs)
    assert shapes == [(1, 1, 4), (6, 6, 3)]
    mlet_file.read(mlet_file.pack(graph, planner.plan(graph)))


# What is refused


def changed(data, change):
    """Return a file after `change(model)` of its records."""
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    change(model)
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def to_custom(model):
    code = model.operatorCodes[0]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = b"Mine"


def to_two_images(model):
    tensor = model.subgraphs[0].tensors[int(model.subgraphs[0].inputs[0])]
    tensor.shape = np.array([2, 14, 13, 1], np.int32)


def to_unknown_size(model):
    tensor = model.subgraphs[0].tensors[int(model.subgraphs[0].inputs[0])]
    tensor.shapeSignature = np.array([-1, -1, 13, 1], np.int32)


def to_states(model):
    code = model.operatorCodes[0]
    code.builtinCode = schema.BuiltinOperator.VAR_HANDLE


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (to_custom, "CUSTOM Mine"),
        (to_two_images, r"is \[2, 14, 13, 1\]: a batch of 1 can be imported"),
        (to_unknown_size, "of unknown size; convert with a fixed input shape"),
        (to_states, "VAR_HANDLE .*keeps state in a variable; import the Keras model"),
    ],
)
def test_refused(files, change, message):
    with pytest.raises(MotionletError, match=message):
        import_tflite(changed(files["padded"], change), "file")
    assert import_tflite(changed(files["padded"], lambda model: None), "file").graph.ops


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("float", r"file: CONV_2D .* computes in floats: quantize it to int8 with a represent"),
        ("dynamic", r"computes in floats, with weights of int8 \(dynamic range\)"),
        ("int16", "is of int16 activations; want int8"),
    ],
)
def test_not_int8(mode, message):
    x = image = keras.Input((12, 12, 8))
    for _ in range(2):
        x = layers.Conv2D(32, 3)(x)
    with pytest.raises(MotionletError, match=message) as error:
        import_tflite(converted(keras.Model(image, x), mode=mode), "file")
    assert mode == "int16" or "\n" not in str(error.value)


def test_everything_wrong_is_told_at_once():
    image = keras.Input((8, 8, 2))
    x = layers.LeakyReLU()(layers.Conv2D(4, 3)(image))
    x = layers.Concatenate()([x, layers.Conv2D(4, 3)(image)])
    with pytest.raises(MotionletError) as error:
        import_tflite(converted(keras.Model(image, x)), "file")
    text = str(error.value)
    assert text.startswith("file: 2 of 4 operators cannot be imported:")
    assert "LEAKY_RELU" in text
    assert "the nearest is RELU6" in text
    assert "CONCATENATION" in text


def test_damaged_files_give_an_error(files):
    data, rng = files["padded"], np.random.default_rng(0)
    for length in [*range(8, 200, 16), *range(200, len(data), 997)]:
        with pytest.raises(MotionletError):
            import_tflite(data[:length], "short")
    for _ in range(150):
        other = bytearray(data)
        for place in rng.integers(8, len(data), 4):
            other[place] = rng.integers(256)
        with contextlib.suppress(MotionletError):  # nothing else
            import_tflite(bytes(other), "changed")


def test_the_command(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.tflite").write_bytes(files["padded"])
    (tmp_path / "bad.tflite").write_bytes(files["padded"][:900])

    def cli(*words):
        result = CliRunner().invoke(main, ["import", *words])
        return result.exit_code, " ".join(result.output.split())

    code, output = cli("net.tflite", "--labels", "a,b,c,d,e,f", "--fps", "10")
    assert code == 0, output
    assert "SOFTMAX left out" in output
    assert load_graph(tmp_path / "net.graph").labels == list("abcdef")
    (tmp_path / "net.graph").unlink()
    for words, message in (
        (["net.tflite", "--data", "x.npy"], "--data is for Keras models; net.tflite is quantized"),
        (["net.tflite", "--labels", "a,b"], "2 labels for 6 outputs"),
        (["bad.tflite"], "bad.tflite is damaged, or no .tflite file"),
    ):
        code, output = cli(*words)
        assert code == 1
        assert output.startswith("error: ")
        assert message in output
    assert not (tmp_path / "net.graph").exists()
