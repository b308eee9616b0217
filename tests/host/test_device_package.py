"""The package for the device: its stubs, its mip manifest, its example."""

import ast
import io
import json

import numpy as np
import pytest

from host_sdk import golden, paths
from host_sdk.board.romfs import build_romfs
from host_sdk.evaluation.alarms import BACKGROUND_NAMES
from host_sdk.format.graph import Graph, Input, Op, Tensor
from host_sdk.pack import mlet_file, planner

DEVICE = paths.repository() / "device"


def names_of(code):
    """{class or "": set of public names} that a stub declares."""
    tree = ast.parse(code)
    found = {"": set()}
    for node in tree.body:
        found[""] |= set(declared(node))
        if isinstance(node, ast.ClassDef):
            members = [name for child in node.body for name in declared(child)]
            found[node.name] = {name for name in members if not name.startswith("_")}
    return found


def declared(node):
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, ast.AnnAssign):
        return [node.target.id]
    if isinstance(node, ast.ImportFrom) and node.module == "_motionlet":
        return [alias.name for alias in node.names]
    return []


def test_stub_of_the_module_declares_what_is_there(unix_device):
    stub = names_of((DEVICE / "_motionlet.pyi").read_text())
    only_in_stub = {"Tensor", "Input", "Op", "Buffer", "Shape", "Crop", "Frames"}
    there = ast.literal_eval(unix_device.exec("import _motionlet; print(dir(_motionlet))"))
    assert stub[""] - only_in_stub == {name for name in there if not name.startswith("_")}
    for kind in ("Model", "Stream", "FrameRing"):
        methods = ast.literal_eval(unix_device.exec(f"print(dir(_motionlet.{kind}))"))
        methods = {name for name in methods if not name.startswith("_")}
        assert methods <= stub[kind]


def test_stub_of_the_package_declares_what_is_there(unix_device):
    module = names_of((DEVICE / "_motionlet.pyi").read_text())[""]
    stub = names_of((DEVICE / "motionlet/__init__.pyi").read_text())[""]
    there = ast.literal_eval(unix_device.exec("import motionlet; print(dir(motionlet))"))
    assert stub == {name for name in there if not name.startswith("_")}
    assert stub - {"load"} <= module


def test_stubs_name_every_attribute(unix_device):
    """What a stub calls an attribute can be read from an object."""
    stub = names_of((DEVICE / "_motionlet.pyi").read_text())
    graph = mean_graph()
    unix_device.write_file("/stub.mlet", mlet_file.pack(graph, planner.plan(graph)))
    code = f"""
import motionlet
model = motionlet.load("/stub.mlet")
objects = {{"Model": model, "Stream": model.stream(),
           "Tensor": model.outputs[0], "Input": model.inputs[0], "Op": model.ops[0]}}
stub = {dict(stub)}
print([(kind, name) for kind in objects for name in stub[kind]
       if not hasattr(objects[kind], name)])
"""
    assert ast.literal_eval(unix_device.exec(code)) == []


def signatures_of(code):
    """{"function" or "Class.method": its ast.arguments} of a stub, without `self`."""
    found = {}
    for node in ast.parse(code).body:
        methods = node.body if isinstance(node, ast.ClassDef) else [node]
        for function in methods:
            if not isinstance(function, ast.FunctionDef):
                continue
            if function.name.startswith("__") and function.name != "__init__":
                continue
            if isinstance(node, ast.ClassDef):
                (function.args.posonlyargs or function.args.args).pop(0)
            name = node.name if function.name == "__init__" else function.name
            owner = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
            found[name if name == node.name else owner + name] = function.args
    return found


def test_stub_of_the_module_declares_the_arguments_there_are(unix_device):
    stub = signatures_of((DEVICE / "_motionlet.pyi").read_text())
    every = {a.arg for args in stub.values() for a in args.args + args.kwonlyargs}
    assert len(every) > 25
    graph = mean_graph()
    unix_device.write_file("/stub.mlet", mlet_file.pack(graph, planner.plan(graph)))
    unix_device.exec(f"""
import motionlet as m
model = m.load("/stub.mlet")
objects = {{"Model": model, "Stream": model.stream(), "FrameRing": m.FrameRing(1, 1)}}
def find(path):
    owner, _, name = path.rpartition(".")
    return getattr(objects[owner] if owner else m, name)
def said(path, *args, **kwargs):
    try:
        find(path)(*args, **kwargs)
    except (TypeError, ValueError) as error:
        return str(error)
    return ""
def accepted(path):
    return [n for n in {sorted(every)} if "takes no argument" not in said(path, **{{n: None}})]
""")

    for path, args in stub.items():
        if args.posonlyargs:  # then all are
            assert args.args + args.kwonlyargs == [], path
            assert "keyword arguments" in unix_device.eval(f"said({path!r}, nothing=1)"), path
            most, least = len(args.posonlyargs), len(args.posonlyargs) - len(args.defaults)
            for count in range(most + 2):
                message = unix_device.eval(f"said({path!r}, *[None] * {count})")
                wrong = any(word in message for word in ("positional arg", "expected at most"))
                assert wrong == (not least <= count <= most), (path, count, message)
        elif args.args or args.kwonlyargs:
            given = [a.arg for a in args.args]
            assert unix_device.eval(f"accepted({path!r})") == sorted(
                given + [a.arg for a in args.kwonlyargs]
            ), path
            message = unix_device.eval(f"said({path!r}, *[None] * 30)")
            assert f"takes {len(given)} arguments by position, not 30" in message, path
            needed = given[: len(given) - len(args.defaults)]
            for name in needed:
                others = {other: None for other in needed if other != name}
                message = unix_device.eval(f"said({path!r}, **{others})")
                assert f": {name} is missing" in message, (path, message)
        else:
            assert unix_device.eval(f"said({path!r}, 1)"), path


@pytest.mark.parametrize("name", ["__init__", "watch"])
def test_stubs_of_python_declare_its_arguments_and_attributes(name):
    source = (DEVICE / f"motionlet/{name}.py").read_text()
    stub = (DEVICE / f"motionlet/{name}.pyi").read_text()

    def shape(args):
        return [a.arg for a in args.args], len(args.defaults)

    there = {path: shape(args) for path, args in signatures_of(source).items()}
    public = {path: args for path, args in there.items() if not path.split(".")[-1].startswith("_")}
    assert {path: shape(args) for path, args in signatures_of(stub).items()} == public
    assigned = {
        node.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and not node.attr.startswith("_")
    }
    annotated = [node for node in ast.walk(ast.parse(stub)) if isinstance(node, ast.AnnAssign)]
    assert assigned <= {node.target.id for node in annotated}


def test_background_has_one_meaning():
    code = ast.parse((DEVICE / "motionlet/watch.py").read_text())
    assigned = [node for node in code.body if isinstance(node, ast.Assign)]
    values = {node.targets[0].id: node.value for node in assigned}
    assert ast.literal_eval(values["BACKGROUND_NAMES"]) == BACKGROUND_NAMES


def test_mip_manifest():
    manifest = json.loads((DEVICE / "package.json").read_text())
    header = (paths.repository() / "native_modules/motionlet/core/mlet.h").read_text()
    assert f'#define MLET_VERSION "{manifest["version"]}"' in header
    listed = [source for _, source in manifest["urls"]]
    there = [str(path.relative_to(DEVICE)) for path in (DEVICE / "motionlet").glob("*.py")]
    assert sorted(listed) == sorted(there)
    assert all(len(entry) == 2 for entry in manifest["urls"])


def mean_graph():
    """Average the brightness of the left and right half; the brighter one wins."""
    graph = Graph(labels=["left", "right"], inputs=[Input(0, "gray8")], outputs=[2])
    graph.tensors.append(Tensor("image", 4, 8, 1, float(np.float32(1 / 255)), -128))
    graph.tensors.append(Tensor("halves", 1, 2, 1, 0.5, 0))
    graph.tensors.append(Tensor("scores", 1, 1, 2, 0.5, 0))
    half = Op("average_pool", "halves", [0], 1, kernel=(4, 4), stride=(1, 4))
    half.multiplier, half.shift = np.array([2**30], np.int32), np.array([34], np.uint8)
    dense = Op("dense", "scores", [1], 2)
    dense.weights = np.array([[100, -100], [-100, 100]], np.int8).reshape(2, 2)
    dense.bias = np.zeros(2, np.int32)
    dense.multiplier, dense.shift = np.full(2, 2**30, np.int32), np.full(2, 37, np.uint8)
    graph.ops += [half, dense]
    return graph


@pytest.fixture
def bright_sides():
    """A clip of 8 x 16 pixels in which one side is brighter, and the name of that side."""
    rng = np.random.default_rng(5)
    clip = rng.integers(0, 60, (6, 8, 16)).astype(np.uint8)
    sides = rng.integers(0, 2, 6)
    for frame, side in zip(clip, sides, strict=True):
        frame[:, 8 * side : 8 * side + 8] += 90
    return clip, ["right" if side else "left" for side in sides]


def test_example(device, bright_sides):
    clip, sides = bright_sides
    graph = mean_graph()
    device.write_file("/example.mlet", mlet_file.pack(graph, planner.plan(graph)))
    npy = io.BytesIO()
    np.save(npy, clip)
    device.write_file("/example.npy", npy.getvalue())
    code = (DEVICE / "examples/recorded_clip/main.py").read_text()
    device.exec(code.replace('__name__ == "__main__"', "0"))
    said = device.exec('main("/example.mlet", "/example.npy")').strip().splitlines()

    tensors = [golden.frame_to_tensor(f.tobytes(), "gray8", 16, 8, (4, 8, 1)) for f in clip]
    logits = golden.run_clip(graph, np.stack(tensors))[-1].reshape(-1, 2)
    assert said[0].startswith("<Model /example.mlet: ")
    assert [line.split()[1] for line in said[-6:]] == sides
    assert [float(line.split()[2]) for line in said[-6:]] == [0.5 * q.max() for q in logits]


def blocks(readme):
    """The Python in a README, block by block."""
    return [part.split("```")[0] for part in readme.read_text().split("```python\n")[1:]]


STAND_INS = """
import asyncio, motionlet
from array import array
class Done(Exception):
    pass
class Camera:
    def __init__(self, frame):
        self.frame, self.left = frame, 3
    def capture(self):
        if self.left == 0:
            raise Done
        self.left -= 1
        return self.frame
    async def acapture(self):
        return self.capture()
    def get_frame(self, values):
        self.capture()
class led:
    value = print
def run(code, frame_bytes):
    global camera, mlx
    camera = mlx = Camera(bytes(frame_bytes))
    try:
        exec(code, globals())
    except Done:
        return camera.left
"""


def test_readmes_run(unix_device, make_vectors):
    """Every loop takes what frames there are; the kernel prints what its last line says."""
    graphs = {"gesture": make_vectors.tiny_tsm(), "falls": make_vectors.tiny_thermal()}
    files = {f"{n}.mlet": mlet_file.pack(g, planner.plan(g)) for n, g in graphs.items()}
    unix_device.write_romfs(build_romfs(files))
    unix_device.exec(STAND_INS)
    first, watch, thermal, kernel = blocks(DEVICE / "README.md")
    rgb, gray = 96 * 96 * 2, 96 * 96

    def left(code, frame_bytes):
        said = unix_device.exec(f"print(run({code!r}, {frame_bytes}))")
        return int(said.split()[-1])

    assert left(first, rgb) == left(watch, rgb) == 0
    shown = "".join((DEVICE / "README.md").read_text().partition(">>> model\n")[2]).split("```")[0]
    assert unix_device.exec("print(model)").strip() == shown.strip()
    assert left(thermal, 0) == 0
    unix_device.exec('model = motionlet.load("/rom/gesture.mlet")')
    for code in blocks(DEVICE / "examples/README.md"):
        assert left(code, gray) == 0
    (loop,) = blocks(DEVICE / "examples/asyncio_camera/README.md")
    lines = ["async def main():", *(f"    {line}" for line in loop.splitlines())]
    assert left("\n".join([*lines, "asyncio.run(main())"]), gray) == 0

    said = unix_device.exec(kernel).split("\n")
    assert kernel.strip().splitlines()[-1] == "# " + " ".join(said).strip()
