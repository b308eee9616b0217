"""What is packed for which target: all that deploys, reports or measures a model asks here."""

from host_sdk.format.mlet import FORMAT_VERSION, TARGETS
from host_sdk.pack import mlet_file, planner, targets
from host_sdk.pack.dead_taps import without_dead_taps


def pack_for(graph, target, format_version=FORMAT_VERSION, chains=True):
    """Return a graph as an .mlet file in the form that the kernels of `target` like best.

    Taps that meet no pixel are left out. For firmware that reads only an older `format_version`,
    or has kernels unknown here, the file does without what came later, if that can be; so it does
    without chains for firmware that has none.
    """
    return plan_and_pack(graph, target, format_version, chains)[1]


def plan_for(graph, target, chains=True):
    """Return the graph that `pack_for` packs for a `target` known here, and its memory plan."""
    lean = without_dead_taps(graph)
    return lean, planner.plan(lean, targets.scratch_bytes(target), chains)


def plan_and_pack(graph, target, format_version, chains=True):
    """Return the memory plan of what `pack_for` returns, and that."""
    if target in TARGETS:
        lean, plan = plan_for(graph, target, chains)
        data = mlet_file.pack(lean, plan, target)
        if mlet_file.version_of(data) <= format_version:
            return plan, data
    lean = without_dead_taps(graph)
    plan = planner.plan(lean, chains=False)
    return plan, mlet_file.pack(lean, plan)
