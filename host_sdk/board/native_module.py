"""Native modules: which parts of Motionlet one has, and how it is linked from prebuilt objects.

For each architecture and each set of feature groups (mlet_config.h) there is one object with all
operators; tools/build_natmod.py compiles it. What a module needs of it is linked here, so that a
laptop without a compiler makes the same bytes as one that has it.
"""

import json
import subprocess
import sys
from dataclasses import dataclass, replace

from host_sdk import native, paths
from host_sdk.board import mpy_link
from host_sdk.cost import cost_model
from host_sdk.errors import MotionletError
from host_sdk.format.operators import OPS
from host_sdk.pack import mlet_file
from host_sdk.pack.packing import plan_for

# In the order of the bits of _motionlet.GROUPS; MLET_WITH_... in C.
GROUPS = {
    "chains": "chains",
    "int4": "4-bit weights",
    "int16": "16-bit inputs and backgrounds",
    "trace": "tracing",
    "kernels": "kernels one by one",
    "portable": "portable kernels",
    "inputs": "several inputs at rates of their own",
    "inspect": "what printing shows",
    "extensions": "modules that extend it",
}
ASKED = "natmod_has_parts"  # a function of the binding's: whether none are left out
# Whose kernels a module for an architecture has; the portable ones where none are named.
TARGETS = {"armv6m": "cortex_m0plus", "xtensawin": "esp32s3"}


@dataclass(frozen=True)
class Selection:
    """What a module has: operators by their kinds, and groups of `GROUPS`.

    parts: of the kernels, the parts that not every layer takes (mlet_part.h), by name; None: all.
    """

    operators: frozenset
    groups: frozenset
    parts: frozenset | None = None

    def having(self, groups):
        """Return the same with other groups."""
        return replace(self, groups=frozenset(groups))

    def with_all(self, graphs):
        """Return the same with what these graphs need besides, packed without chains."""
        wanted = [needs(graph) for graph in graphs]
        return Selection(
            self.operators.union(*(each.operators for each in wanted)),
            self.groups.union(*(each.groups for each in wanted)),
            self.parts,
        )

    @property
    def key(self):
        """The name of the object that it is linked from."""
        if len(self.groups) == len(GROUPS):
            return "full"
        return "-".join(group for group in GROUPS if group in self.groups) or "plain"


NOTHING = Selection(frozenset(), frozenset(), frozenset())
# What networks of the six families need.
CORE = Selection(frozenset(kind for kind, op in OPS.items() if op.core), frozenset())
FULL = Selection(frozenset(OPS), frozenset(GROUPS))
CONFIGURATIONS = {"core": CORE, "full": FULL}


def target_of(arch):
    """Return the target whose kernels a module for `arch` has."""
    return TARGETS.get(arch, "portable")


def needs(graph, plan=None):
    """Return the `Selection` that a graph needs which is packed with `plan`, or without chains."""
    groups = set()
    if plan is not None and any(plan.rows):
        groups.add("chains")
    if any(op.weight_bits == 4 for op in graph.ops):
        groups.add("int4")
    kinds = {x.normalization.kind for x in graph.inputs if x.pixel_format != "raw"}
    if "background" in kinds or any(x.pixel_format == "int16" for x in graph.inputs):
        groups.add("int16")
    if len(graph.inputs) > 1 or any(each.period > 1 for each in (*graph.inputs, *graph.ops)):
        groups.add("inputs")
    return Selection(frozenset(op.kind for op in graph.ops), frozenset(groups))


def check(device, module, wanted):
    """Raise MotionletError unless the module on a device has what is wanted.

    module: what remote.find_module() tells of it.
    """
    lacks = [kind for kind in OPS if kind in wanted.operators - module["operators"]]
    lacks += [GROUPS[group] for group in GROUPS if group in wanted.groups - module["groups"]]
    if lacks:
        raise MotionletError(
            f"the model needs {_listed(lacks)}, which the module on {device} lacks: install one "
            "that is made for it (`host_sdk install --for MODEL`), or the full one (`--full`)"
        )


def _listed(words):
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def made_for(graphs, arch, base=NOTHING):
    """Return `base` with what these models need besides on `arch`.

    It gets chains only where they save more of a stream's memory than their code takes; then with
    all parts of kernels, since ops may run in bands of rows, too, which may take others.
    """
    target = target_of(arch)
    without = base.with_all(graphs)
    whole = [plan_for(graph, target, chains=False) for graph in graphs]
    by_row = [plan_for(graph, target) for graph in graphs]
    without = _with_parts(without, target, whole)
    chained = replace(without.having(without.groups | {"chains"}), parts=None)
    if chained.groups == without.groups:
        return chained
    saved = [a.stream_bytes - b.stream_bytes for (_, a), (_, b) in zip(whole, by_row, strict=True)]
    if max(saved, default=0) <= 0:
        return without
    cost = link(arch, chained).ram_bytes - link(arch, without).ram_bytes
    return chained if max(saved) > cost else without


def _with_parts(selection, target, planned):
    """Return a selection with the parts of kernels that these (graph, plan) take besides."""
    if selection.parts is None or target not in cost_model.TARGETS:
        return selection
    taken = [native.parts_taken(mlet_file.pack(*each, target)) for each in planned]
    return replace(selection, parts=selection.parts.union(*taken))


def link(arch, selection, objects=None):
    """Return the module for `arch` with what is selected, as `mpy_link.Linked`.

    objects: the folder of objects, by default `folder()`, where they are made if that can be.
    """
    objects = objects or _up_to_date(arch, selection.key)
    data = (objects / arch / f"{selection.key}.o").read_bytes()
    about = json.loads((objects / arch / f"{selection.key}.json").read_text(encoding="utf-8"))
    left_out = [operator.code for kind, operator in OPS.items() if kind not in selection.operators]
    cut = []
    for section, start, size in mpy_link.places(data, "operators"):
        each = size // about["codes"]
        cut += [(section, start + code * each, each) for code in left_out]
    if left_out and not cut:
        raise MotionletError(f"the object for {arch} has no table of operators")
    without = []
    if selection.parts is not None:
        without = [part for part in about["parts"] if part not in selection.parts]
    if without:
        without.append(ASKED)
    return mpy_link.link(objects / "linker", arch, data, about["names"], cut, without)


def folder():
    """Where objects lie, {arch}/{key}.o, and beside them the linker: brought along, or built."""
    return paths.built("objects")


def _up_to_date(arch, key):
    """Return `folder()`, with an object up to date; raises MotionletError where that cannot be."""
    found = folder()
    if paths.checkout() is None:
        if not (found / arch / f"{key}.o").exists():
            known = sorted(path.parent.name for path in found.glob(f"*/{key}.o"))
            raise MotionletError(
                f"this package has no object for it (but for {', '.join(known) or 'none'}); a "
                "checkout of Motionlet builds it"
            )
        return found
    tool = paths.repository() / "tools/build_natmod.py"
    command = [sys.executable, tool, arch, "--object", key]
    done = subprocess.run(command, stderr=subprocess.PIPE, encoding="utf-8")
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or ["no output"]
        raise MotionletError(lines[0].removeprefix("error: "))
    return found
