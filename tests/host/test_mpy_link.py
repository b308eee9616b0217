"""Linking native modules: the same bytes without a compiler, and no more than is wanted."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from host_sdk import native, paths
from host_sdk.board import install, mpy_link, native_module
from host_sdk.errors import MotionletError
from host_sdk.format.operators import OPS

sys.path.append(str(paths.repository() / "tools"))

import build_natmod

ARCHITECTURES = ("x64", "armv6m", "armv7emsp", "rv32imc")
ALONE = """
import sys
from pathlib import Path
from host_sdk.board import native_module as nm
arch, folder, kinds, groups, target = sys.argv[1:]
selection = nm.Selection(frozenset(kinds.split()), frozenset(groups.split()))
Path(target).write_bytes(nm.link(arch, selection, Path(folder)).mpy)
"""


def need_compiler(arch):
    wanted = build_natmod.ARCHITECTURES[arch]
    if shutil.which(wanted.compiler) is None:
        pytest.skip(f"no {wanted.compiler}: apt-get install {' '.join(wanted.packages)}")


def selection(kinds, groups=""):
    return native_module.Selection(frozenset(kinds), frozenset(groups.split()))


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_laptop_without_a_compiler_links_the_same_bytes(arch, tmp_path):
    need_compiler(arch)
    made = native_module.link(arch, selection(["conv2d", "dense"])).mpy
    built = build_natmod.build(arch, quiet=True)
    package = install.read_package(build_natmod.directory(arch), arch)
    assert built["mpy_bytes"] == len(package.files[install.MODULE])

    objects = tmp_path / "objects"
    for name in (f"{arch}/plain", f"{arch}/{native_module.CORE.key}"):
        for suffix in (".o", ".json"):
            target = objects / (name + suffix)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(build_natmod.OBJECTS / (name + suffix), target)
    shutil.copytree(build_natmod.OBJECTS / "linker", objects / "linker")
    for wanted, expected in (
        (selection(["conv2d", "dense"]), made),
        (native_module.CORE, package.files[install.MODULE]),
    ):
        words = " ".join(sorted(wanted.operators)), " ".join(sorted(wanted.groups))
        subprocess.run(
            [sys.executable, "-c", ALONE, arch, objects, *words, tmp_path / "a.mpy"],
            env={"PATH": str(tmp_path), "PYTHONPATH": str(paths.repository())},
            cwd=tmp_path,
            check=True,
        )
        assert (tmp_path / "a.mpy").read_bytes() == expected


def test_an_object_compiled_again_is_the_same(tmp_path, monkeypatch):
    path = build_natmod.compile_object("x64", "plain")
    before = path.read_bytes()
    monkeypatch.setattr(build_natmod, "OBJECTS", tmp_path)
    assert build_natmod.compile_object("x64", "plain").read_bytes() == before


@pytest.mark.parametrize("arch", ["x64", "armv6m"])
def test_each_operator_adds_its_kernel(arch):
    need_compiler(arch)
    none = native_module.link(arch, selection([])).ram_bytes
    all_of_them = native_module.link(arch, selection(OPS)).ram_bytes
    for kind in OPS:
        assert none + 30 < native_module.link(arch, selection([kind])).ram_bytes < all_of_them


def test_each_group_adds_to_a_module():
    plain = native_module.link("x64", selection(OPS)).ram_bytes
    for group in build_natmod.FOR_MODELS:
        assert native_module.link("x64", selection(OPS, group)).ram_bytes > plain + 200, group


def test_strings_are_laid_once_and_only_those_in_use():
    module = native_module.link("armv6m", selection(["conv2d"])).mpy
    for string in (b"stream\0", b"cortex_m0plus\0", b"shape\0"):
        assert module.count(string) <= 1
    assert b"cortex_m0plus\0" in module
    assert b"int16 input" in module
    assert b"4-bit" not in module


@pytest.mark.parametrize("arch", ["x64", "armv6m", "rv32imc"])
def test_a_module_begins_with_its_entry(arch, monkeypatch):
    """From MicroPython 1.28 on, mpy_ld.py makes the jump to it before anything is laid out."""
    need_compiler(arch)
    native_module.link(arch, selection([]))  # so that the linker is there
    mpy_ld = mpy_link._mpy_ld(build_natmod.OBJECTS / "linker")
    usual, seen = mpy_ld.link_objects, []

    def link_objects(env, count):
        entry = env.known_syms[mpy_link.ENTRY]
        first = env.sections[0] is entry.section
        seen.append((first, entry["st_value"] & ~1, entry.section.addr))  # but for Thumb's bit
        usual(env, count)
        jump = len(env.arch.asm_jump(8))
        seen.append(entry.section.addr <= max(jump, entry.section.alignment))

    monkeypatch.setattr(mpy_ld, "link_objects", link_objects)
    native_module.link(arch, selection([]))
    assert seen == [(True, 0, 0), True]


def test_an_object_for_another_architecture_is_refused():
    data = build_natmod.compile_object("x64", "plain").read_bytes()
    with pytest.raises(
        MotionletError, match="object for armv6m cannot be linked: incompatible arch"
    ):
        mpy_link.link(build_natmod.OBJECTS / "linker", "armv6m", data, [])


def test_an_object_that_is_no_module_is_refused(tmp_path):
    (tmp_path / "a.c").write_text("int one(void) { return 1; }\n")
    subprocess.run(["gcc", "-c", "a.c"], cwd=tmp_path, check=True)
    data = (tmp_path / "a.o").read_bytes()
    with pytest.raises(MotionletError, match="the object has no mpy_init"):
        mpy_link.link(build_natmod.OBJECTS / "linker", "x64", data, [])


# What models need


def test_what_a_model_needs(make_vectors):
    from host_sdk.pack import planner

    for make, groups in (
        (make_vectors.tiny_tsm, set()),
        (make_vectors.tiny_int4, {"int4"}),
        (make_vectors.tiny_thermal, {"int16"}),
    ):
        graph = make()
        wanted = native_module.needs(graph, planner.plan(graph, chains=False))
        assert wanted.operators == {op.kind for op in graph.ops}
        assert wanted.groups == groups
        chained = planner.plan(graph)
        more = {"chains"} if any(chained.rows) else set()
        assert native_module.needs(graph, chained).groups == groups | more


def wide_network(make_vectors, size):
    """A network whose maps are large: chains save nearly all of them."""
    net = make_vectors.Builder(7, (size, size, 4), [], "raw")
    options = {"kernel": (3, 3), "padding": (1, 1)}
    last = net.add("conv2d", [0], (size, size, 16), **options)
    last = net.add("conv2d", [last], (size // 2, size // 2, 8), stride=(2, 2), **options)
    pooled = net.add("average_pool", [last], (1, 1, 8), kernel=(size // 2, size // 2))
    return net.finish(net.add("dense", [pooled], (1, 1, 4)))


# Parts of kernels


def test_a_module_may_go_without_each_part():
    need_compiler("armv6m")
    whole = native_module.link("armv6m", selection(OPS)).ram_bytes
    about = (build_natmod.OBJECTS / "armv6m/plain.json").read_text()
    assert set(json.loads(about)["parts"]) == set(native.part_names())
    for part in native.part_names():
        parts = frozenset(native.part_names()) - {part}
        without = native_module.link("armv6m", replace(selection(OPS), parts=parts)).ram_bytes
        assert without < whole or (part == "m0_exact" and without == whole)


def test_what_a_model_takes_is_linked(make_vectors):
    """Maps of 2 x 2 meet a convolution whose one window is the whole of them."""
    large, small = (wide_network(make_vectors, size) for size in (8, 2))
    one, two = (native_module.made_for([graph], "armv6m").parts for graph in (large, small))
    assert two - one == {"m0_matmul_one"}
    assert native_module.made_for([large, small], "armv6m").parts == one | two
    assert native_module.made_for([large], "armv6m", native_module.CORE).parts is None
    assert native_module.made_for([large], "armv7m").parts == frozenset()  # its kernels have none


@pytest.mark.parametrize(("size", "pays"), [(8, False), (32, True)])
def test_chains_come_along_where_they_save_more_than_they_take(make_vectors, size, pays):
    graph = wide_network(make_vectors, size)
    assert ("chains" in native_module.made_for([graph], "armv6m").groups) == pays


# What is missing


def test_the_groups_are_those_of_the_header():
    header = (build_natmod.MODULE / "core/mlet_config.h").read_text()
    found = re.findall(r"MLET_WITH_(\w+)(?: << (\d+))?", header.partition("#define MLET_GROUPS")[2])
    bits = {group.lower(): int(bit or 0) for group, bit in found}
    assert bits == {group: bit for bit, group in enumerate(native_module.GROUPS)}


def test_where_no_compiler_is_the_one_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MotionletError, match="no package for rv32imc: not found: riscv64-unknown-"):
        install.make_package("rv32imc")


def test_a_module_that_came_ready_is_taken_where_nothing_can_be_linked(tmp_path, monkeypatch):
    ready = tmp_path / "objects/armv6m/core.mpy"
    ready.parent.mkdir(parents=True)
    ready.write_bytes(b"ready")
    monkeypatch.setattr(native_module, "folder", lambda: tmp_path / "objects")

    def link(*_):
        raise MotionletError("cannot link here: no linker")

    monkeypatch.setattr(native_module, "link", link)
    said = []
    package = install.make_package("armv6m", said=said.append)
    assert package.files[install.MODULE] == b"ready"
    assert said == ["cannot link here: no linker: taking the module `core` that came ready"]
    with pytest.raises(MotionletError, match="no package for armv6m: cannot link here: no linker"):
        install.make_package("armv6m", "full", said=said.append)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.mlet"], "a.mlet: models come after --for"),
        (["--full", "--for", "a.mlet"], "--package, --for and --full exclude each other"),
        (["--for", "no.mlet"], "no.mlet"),
    ],
)
def test_what_cannot_be_installed_is_said(words, message, tmp_path):
    (tmp_path / "a.mlet").write_bytes(b"")
    done = subprocess.run(
        [sys.executable, "-m", "host_sdk.cli", "install", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(paths.repository())},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert message in done.stderr
    assert Path("no.mlet").exists() is False
