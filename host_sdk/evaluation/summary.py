"""The figures of evaluate.json, as tables on a console."""

from host_sdk.errors import on_one_line
from host_sdk.evaluation.alarms import FEW_MINUTES


def percent(share):
    """Return a share as "97.2% (96.3–97.9)"."""
    return f"{share['value']:.1%} ({100 * share['low']:.1f}–{100 * share['high']:.1f})"


def print_summary(console, result):
    """Print what `evaluate_folder` returned."""
    from rich.text import Text

    if "seeds" in result:
        _print_spread(console, result)
        return
    for warning in result["warnings"]:
        console.print(Text.assemble(("!", "bold yellow"), f" {warning}"))
    _print_rows(console, _figures(result))
    _print_classes(console, result["classes"])
    _print_controls(console, result)
    _print_dropped(console, result["dropped"])
    _print_alarms(console, result["alarms"])


def _print_spread(console, result):
    table = _table("accuracy over seeds", "mean", "sd", "lowest", "highest")
    for name, spread in result["spread"].items():
        sd = "" if spread["sd"] is None else f"{100 * spread['sd']:.1f}"
        table.add_row(
            *(name, f"{spread['mean']:.1%}", sd, f"{spread['low']:.1%}", f"{spread['high']:.1%}")
        )
    console.print(table)
    console.print(f"{len(result['seeds'])} seeds: {', '.join(result['seeds'])}")


def _table(*titles):
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(titles[0])
    for title in titles[1:]:
        table.add_column(title, justify="right")
    return table


def _print_rows(console, rows):
    table = _table("", "")
    table.show_header = False
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _figures(result):
    accuracy, decision, cost = result["accuracy"], result["decision"], result["cost"]
    calibration = result["calibration"]
    clips = result["clips"]
    rows = [
        ("unseen clips", f"{clips['test']:,} of {result['frames']} frames"),
        ("  groups that they are of", f"{clips['test_groups']:,}"),
        ("accuracy, int8 (95% interval)", percent(accuracy["int8"])),
        ("accuracy, float", percent(accuracy["float"])),
        ("always the same answer", f"{result['chance']:.1%}"),
    ]
    if decision["frames"]:
        frames, ms = decision["frames"], decision["milliseconds"]
        rows += [
            (
                "right for good after, median of clips",
                f"{frames['median']:g} frames, {ms['median']:,.0f} ms",
            ),
            ("  90% of clips", f"{frames['most']:g} frames, {ms['most']:,.0f} ms"),
        ]
    rows += [
        ("calibration error (ECE)", f"{calibration['before']['ece']:.1%}"),
        (
            f"  logits divided by {calibration['temperature']:.2f}",
            f"{calibration['after']['ece']:.1%}",
        ),
        ("multiply-accumulates a frame", f"{cost['macs_per_frame']:,}"),
        ("parameters", f"{cost['parameters']:,}"),
    ]
    for target, memory in cost["targets"].items():
        sizes = (memory["arena_bytes"], memory["state_bytes"], memory["model_bytes"])
        rows.append((f"arena + state, flash: {target}", "{:,} + {:,}, {:,} bytes".format(*sizes)))
    if device := result["device"]:
        ms = device["microseconds_per_frame"] / 1000
        rows += [
            (f"a frame on the {device['device']}", f"{ms:.2f} ms"),
            ("  bytes compared, differing", f"{device['bytes']:,}, {device['differing_bytes']}"),
        ]
    return rows


def _print_classes(console, classes):
    table = _table("class", "precision", "recall", "F1", "clips")
    for row in classes:
        figures = (
            "–" if row[n] is None else f"{row[n]:.1%}" for n in ("precision", "recall", "f1")
        )
        table.add_row(on_one_line(row["label"]), *figures, str(row["clips"]))
    console.print("\n", table, sep="")


def _print_controls(console, result):
    table = _table("control", "accuracy", "answers unchanged")
    for name, control in result["controls"].items():
        same = f"{control['same_answer']['value']:.1%}"
        table.add_row(f"frames {name}", percent(control["accuracy"]), same)
    for leak in result["leaks"]:
        found = "same for all clips" if leak["accuracy"] is None else percent(leak["accuracy"])
        table.add_row(f"{leak['clue']} alone", found, "")
    console.print("\n", table, sep="")


def _print_dropped(console, rows):
    everies = sorted({row["every"] for row in rows})
    table = _table(
        "accuracy, frames pushed", *("every" if n == 1 else f"1 of {n}" for n in everies)
    )
    for precision in dict.fromkeys(row["precision"] for row in rows):
        found = [row["accuracy"]["value"] for row in rows if row["precision"] == precision]
        table.add_row(precision, *(f"{value:.1%}" for value in found))
    console.print("\n", table, sep="")


def _print_alarms(console, alarms):
    table = _table(
        "threshold", "false alarms an hour (95%)", "events named", "named wrongly", "missed"
    )
    for row in alarms["thresholds"]:
        false, events = row["false_alarms"], row["events"]
        mark = " *" if row["threshold"] == alarms["rule"]["threshold"] else ""
        shares = (
            f"{events[n] / max(events['events'], 1):.1%}" for n in ("right", "wrong", "silent")
        )
        rate = f"{false['low']:.1f}–{false['high']:.1f}"
        if 60 * false["hours"] >= FEW_MINUTES:
            rate = f"{false['per_hour']:.1f} ({rate})"
        table.add_row(f"{row['threshold']:g}{mark}", rate, *shares)
    console.print("\n", table, sep="")
    false = alarms["thresholds"][0]["false_alarms"]
    rule = alarms["rule"]
    console.print(
        f"on {60 * false['hours']:.1f} minutes of {alarms['background']}; mean of "
        f"{rule['smooth']} frames, above the threshold for {rule['hold']}"
    )
