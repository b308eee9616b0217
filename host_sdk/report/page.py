"""The report's page: figures and pictures put into the template."""

from pathlib import Path

import host_sdk
from host_sdk.evaluation import metrics, summary
from host_sdk.evaluation.alarms import FEW_MINUTES
from host_sdk.files import write
from host_sdk.report import plots
from host_sdk.report.collect import collect, reproduce


def write_report(folders, out):
    """Write the HTML report of run folders to `out`; return its size in bytes."""
    page = render(collect(folders)).encode()
    write(out, page)
    return len(page)


def render(entries):
    """Return the page for what `collect` returned."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": _percent, "number": _number, "share": summary.percent}
    template = environment.get_template("report.html.jinja")
    return template.render(
        version=host_sdk.__version__,
        entries=entries,
        overview=_overview(entries),
        spreads=_spreads(entries),
        pictures=[_pictures(entry) for entry in entries],
        reproduce=reproduce,
        few_minutes=FEW_MINUTES,
    )


def _percent(value, digits=1):
    return "–" if value is None else f"{value:.{digits}%}"


def _number(value, digits=0):
    return "–" if value is None else f"{value:,.{digits}f}"


def _overview(entries):
    """Return the pictures that compare runs; none for a single one."""
    if len(entries) < 2:
        return []
    costs = {
        "Accuracy against computation": (
            "multiply-accumulates a frame",
            [entry["result"]["cost"]["macs_per_frame"] for entry in entries],
        ),
        "Accuracy against memory": (
            "arena + state, bytes",
            [entry["ram_bytes"] for entry in entries],
        ),
        "Accuracy against time": (
            "cycles a frame",
            [entry["cycles"] for entry in entries],
        ),
    }
    pictures = []
    for title, (unit, values) in costs.items():
        points = [
            (entry["name"], cost, entry["result"]["accuracy"]["int8"])
            for entry, cost in zip(entries, values, strict=True)
            if cost
        ]
        if points:
            pictures.append((title, plots.accuracy_against(title, unit, points)))
    return pictures


def _spreads(entries):
    """Return [(folder, spread of the int8 accuracy)] of the folders that hold several seeds."""
    folders = {}
    for entry in entries:
        if entry["seeds_of"]:
            value = entry["result"]["accuracy"]["int8"]["value"]
            folders.setdefault(entry["seeds_of"], []).append(value)
    return [(name, metrics.spread(values)) for name, values in folders.items()]


def _pictures(entry):
    """Return {section of the page: SVG} of one run."""
    result = entry["result"]
    calibration, memory = result["calibration"], entry["memory"]
    curves = {name: result["by_frame"][name] for name in ("int8", "float")}
    history = entry["run"].record.get("history", {})
    drawn = {
        "by_frame": plots.by_frame(curves, result["chance"]),
        "dropped": plots.dropped(result["dropped"]),
        "reliability": plots.reliability(
            calibration["before"], calibration["after"], calibration["temperature"]
        ),
        "arena": plots.arena(
            memory["arena"],
            [layer["name"] for layer in result["cost"]["layers"]],
            memory["arena_bytes"],
        ),
    }
    if any(row["events"]["events"] for row in result["alarms"]["thresholds"]):
        drawn["alarms"] = plots.alarms(result["alarms"]["thresholds"])
    if memory["state"]:
        drawn["state"] = plots.state(memory["state"])
    if history:
        drawn["training"] = plots.training(history)
    return drawn
