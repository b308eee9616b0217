"""Builds that leave out features: each compiles, runs what it has, and refuses the rest by name."""

import re
import struct
import subprocess
import sys

import pytest
import test_vectors

from host_sdk import paths
from host_sdk.errors import MotionletError
from host_sdk.format import mlet as fmt
from host_sdk.format.operators import OPS
from host_sdk.native import core_library, runner
from host_sdk.pack import mlet_file, planner, targets
from host_sdk.pack.targets import layers

sys.path.insert(0, str(paths.repository() / "tools"))
import make_vectors
from test_vectors import files  # noqa: F401 - a fixture

MODULE = paths.repository() / "native_modules/motionlet"
GROUPS = (
    *("CHAINS", "INT4", "INT16", "TRACE", "KERNELS", "PORTABLE"),
    *("INPUTS", "INSPECT", "EXTENSIONS"),
)
ARM = ("arm-none-eabi-gcc", "-mthumb", "-mcpu=cortex-m0plus", "-std=c99", "-fsyntax-only")
CORE = f"-I{MODULE / 'core'}"


def without(*groups):
    return {group: 0 for group in groups}


def only(*kinds):
    return {"OPERATORS": 0, **{kind.upper(): 1 for kind in kinds}}


PACKINGS = {"": "portable", **make_vectors.PACKED}  # with chains, and with whole maps
PACKINGS |= {f"_whole{suffix}": target for suffix, target in PACKINGS.items()}
SEPARABLE = {op.kind for op in make_vectors.tiny_separable().ops}  # not all of OPS

# What is set apart from what a build has by itself; of the target the name.
CONFIGURATIONS = {
    "full": ("portable", {}),
    "core": ("portable", {"CONFIG": "CORE"}),
    "m0, core": ("cortex_m0plus", {"CONFIG": "CORE"}),
    "s3, core": ("esp32s3", {"CONFIG": "CORE"}),
    "nothing": ("portable", {**without(*GROUPS), **only()}),
    **{f"no {group}": ("portable", without(group)) for group in GROUPS},
    "m0, no PORTABLE": ("cortex_m0plus", without("KERNELS", "PORTABLE")),
    **{f"no {kind}": ("portable", without(kind.upper())) for kind in ("conv2d", "add")},
    **{f"only {kind}": ("portable", only(kind)) for kind in OPS},
    "m0, made for a model": ("cortex_m0plus", {"CONFIG": "CORE", **only(*SEPARABLE)}),
}


def flags_of(target, chosen):
    flags = ["-O0", "-Wconversion", "-Werror", f"-DMLET_TARGET=MLET_TARGET_{target.upper()}"]
    for name, value in chosen.items():
        flags.append("-DMLET_CONFIG_CORE" if name == "CONFIG" else f"-DMLET_WITH_{name}={value}")
    return tuple(flags)


def what_it_has(target, chosen):
    """Return (kinds of operators, groups), by the rules of mlet_config.h."""
    extras = "CONFIG" not in chosen
    kinds = {
        kind
        for kind, operator in OPS.items()
        if chosen.get(kind.upper(), chosen.get("OPERATORS", 1) and (operator.core or extras))
    }
    groups = {g for g in GROUPS if chosen.get(g, extras)}
    return kinds, groups | ({"PORTABLE"} if target == "portable" else set())


def rows_in(content):
    """Return the rows of every op that a file says are kept, whatever its target is."""
    header = fmt.codec(fmt.HEADER).unpack_from(content)
    fields = dict(zip((name for name, _, _ in fmt.HEADER), header, strict=True))
    at, size = fields["ops_offset"], fmt.codec(fmt.OP).size
    row, _ = fmt.field_offsets(fmt.OP)["rows"]
    ends = range(at + row, at + row + fields["op_count"] * size, size)
    return [struct.unpack_from("<H", content, end)[0] for end in ends]


def lacking(graph, content, kinds, groups):
    """Return what a build lacks for a model, as it says so: a second reading of the rules."""
    for index, (op, rows) in enumerate(zip(graph.ops, rows_in(content), strict=True)):
        if op.kind not in kinds:
            return f"op {index}: {op.kind}"
        if op.weight_bits == 4 and "INT4" not in groups:
            return f"op {index}: int4 weights"
        if rows and "CHAINS" not in groups:
            return f"op {index}: running in chains"
        if op.period > 1 and "INPUTS" not in groups:
            return f"op {index}: a period"
    if len(graph.inputs) > 1 and "INPUTS" not in groups:
        return "input 1: a second input"
    for index, x in enumerate(graph.inputs if "INT16" not in groups else ()):
        if x.pixel_format == "int16":
            return f"input {index}: int16 input"
        if x.normalization.kind == "background":
            return f"normalization {index}: background"
    return None


@pytest.fixture(scope="module")
def whole():
    """{name: content} of the vectors' models for each target, without chains."""
    packed = {}
    for model, make in make_vectors.MODELS.items():
        graph = make()
        for suffix, target in {"": "portable", **make_vectors.PACKED}.items():
            plan = planner.plan(graph, targets.scratch_bytes(target), chains=False)
            packed[f"{model}_whole{suffix}.mlet"] = mlet_file.pack(graph, plan, target)
    return packed


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_build_runs_what_it_has_and_refuses_the_rest(name, files, whole, monkeypatch):  # noqa: F811
    target, chosen = CONFIGURATIONS[name]
    kinds, groups = what_it_has(target, chosen)
    _, lib = built = core_library.library(flags_of(target, chosen))
    for module in (runner, layers):
        monkeypatch.setattr(module, "library", lambda: built)
    for kind, operator in OPS.items():
        assert bool(lib.mlet_operator(operator.code)) == (kind in kinds)
        if kind in kinds and "PORTABLE" in groups:
            test_vectors.test_op_vectors_in_c(files, kind)
    ran = 0
    for model, make in make_vectors.MODELS.items():
        graph = make()
        for packed, for_target in PACKINGS.items():
            content = {**files, **whole}[f"{model}{packed}.mlet"]
            lacks = lacking(graph, content, kinds, groups)
            if for_target not in (target, "portable" if "PORTABLE" in groups else target):
                with pytest.raises(MotionletError, match="header: target"):
                    runner.Model(content)
            elif lacks is None:
                test_vectors.test_traces_in_c({**files, **whole}, model, packed)
                ran += 1
            else:
                with pytest.raises(MotionletError, match=f"^{lacks} is not in this build$"):
                    runner.Model(content)
    assert ran > 0 or name.startswith(("nothing", "no conv2d", "only"))


def test_an_operator_that_is_not_built_in_does_not_run():
    ffi, lib = core_library.library(flags_of("portable", only("dense")))
    kernels = lib.mlet_kernels(0)
    layer, buffers = ffi.new("mlet_layer_t *"), ffi.new("mlet_buffers_t *")
    for code in {*range(256)} - {OPS["dense"].code}:
        assert lib.mlet_run_op(kernels, code, layer, buffers) == lib.MLET_E_BUILD
        assert lib.mlet_operator(code) == ffi.NULL


def test_operators_are_in_c_what_they_are_in_the_table():
    """Of every target: the traits, and a kernel for each operator, in the form that is listed."""
    ffi, lib = core_library.library()
    header = (MODULE / "core/mlet_operators.h").read_text()
    bits = {name: 1 << bit for bit, name in enumerate(fmt.TRAITS)}
    for name, bit in bits.items():
        assert f"#define MLET_TRAIT_{name.upper()} {bit:#06x} " in header
    for target in (0, 1, 2):
        kernels = lib.mlet_kernels(target)
        for kind, operator in OPS.items():
            found = kernels.operators[operator.code]
            names = {name for name, bit in bits.items() if found.traits & bit}
            assert names == operator.has
            assert (found.code, found.since) == (operator.code, operator.since)
            assert found.run.plain != ffi.NULL
            assert f"X({kind.upper()}, {kind}, {operator.form})" in header


def arm(*args):
    return subprocess.run([*ARM, *args], capture_output=True, text=True)


def test_kernels_one_by_one_need_the_portable_ones():
    target = "-DMLET_TARGET=MLET_TARGET_CORTEX_M0PLUS"
    done = arm(CORE, target, "-DMLET_WITH_PORTABLE=0", MODULE / "core/mlet_crc32.c")
    assert "MLET_WITH_KERNELS needs MLET_WITH_PORTABLE" in done.stderr


@pytest.mark.parametrize("folder", ["cortex_m0plus", "esp32s3"])
def test_offsets_in_assembly_are_checked(folder, tmp_path):
    """With pointers of 32 bits: the headers compile, and do not with a number changed in one."""
    texts = {path.name: path.read_text() for path in (MODULE / "arch" / folder).glob("*.h")}
    checked = [name for name, text in texts.items() if "MLET_LAYOUT(" in text]
    assert len(checked) >= 5
    source = tmp_path / "all.c"
    source.write_text("".join(f'#include "{name}"\n' for name in sorted(checked)))
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    assert arm(CORE, source).stderr == ""
    for name in checked:
        line = re.search(r"MLET_LAYOUT\((\w+), (\w+), .*\);", texts[name])
        wrong = line[0].replace(");", " + 4);")
        (tmp_path / name).write_text(texts[name].replace(line[0], wrong))
        assert f"{line[1]}_{line[2]}_is_there" in arm(CORE, source).stderr
        (tmp_path / name).write_text(texts[name])
