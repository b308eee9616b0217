"""The report's pictures: SVG elements that take their colours from the page's style sheet.

Matplotlib draws with stand-in colours; `_svg` puts CSS variables in their place, so that a
picture changes with the page between light and dark.
"""

import io
import re
import warnings

# Stand-in colour -> CSS variable. None may be a colour that Matplotlib uses by itself.
TEXT, GRID, PAPER = "#010203", "#020304", "#030405"
SERIES = ("#040506", "#050607", "#060708", "#070809", "#08090a", "#090a0b")
VARIABLES = {TEXT: "--text", GRID: "--grid", PAPER: "--paper"} | {
    colour: f"--series{number}" for number, colour in enumerate(SERIES, 1)
}
STYLE = {
    "svg.fonttype": "none",  # letters as text
    "svg.hashsalt": "motionlet",  # the same picture gives the same bytes
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": GRID,
    "axes.labelcolor": TEXT,
    "axes.prop_cycle": "cycler('color', [{}])".format(", ".join(map(repr, SERIES))),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 11,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": TEXT,
    "text.parse_math": False,  # a label may hold dollar signs
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "font.size": 10,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
}
WIDTH, HEIGHT = 4.4, 3.0  # inches of 72 units: a phone shows a unit as about one pixel


def _svg(title, draw, height=HEIGHT, **options):
    """Return an SVG element; `draw(axes)` draws. `title` is what a screen reader says."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with plt.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # which only the reader's font need have
        figure, axes = plt.subplots(figsize=(WIDTH, height), layout="constrained", **options)
        tips = draw(axes) or {}
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    text = text.replace("xlink:href", "href")
    text = re.sub(r"font: ([\d. ]+px)[^;\"]*", r"font: \1 var(--font)", text)
    # Only what is referred to needs an id, and it must differ from those of other pictures.
    mark = re.sub(r"\W+", "-", title.lower())
    for name, tip in tips.items():
        text = text.replace(f'<g id="{name}">', f"<g><title>{_escape(tip)}</title>")
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    text = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{mark}-", text)
    head = f'<svg role="img" aria-label="{_escape(title)}" viewBox='
    return re.sub(r"<svg[^>]*?viewBox=", lambda _: head, text, count=1)


def _escape(text):
    from markupsafe import escape

    return str(escape(text))


def _percent_axis(axis):
    axis.set_major_formatter(lambda value, _: f"{100 * value:.3g}%")


def _errors(shares):
    """Return what `errorbar` wants of shares: distances below and above."""
    values = [share["value"] for share in shares]
    below = [value - share["low"] for value, share in zip(values, shares, strict=True)]
    above = [share["high"] - value for value, share in zip(values, shares, strict=True)]
    return values, [below, above]


def accuracy_against(title, unit, points):
    """Accuracy of several runs against a cost; `points` is [(name, cost, share)]."""

    def draw(axes):
        for number, (name, cost, share) in enumerate(points):
            values, errors = _errors([share])
            axes.errorbar(
                *([cost], values, errors),
                fmt="osD^vP"[(number + number // 6) % 6],
                color=SERIES[number % len(SERIES)],
                capsize=3,
                label=name,
            )
        axes.set_xscale("log")
        axes.set(xlabel=unit, ylabel="accuracy, int8", ylim=(0, 1.03))
        _percent_axis(axes.yaxis)
        axes.margins(x=0.25)
        _plain_log(axes.xaxis)
        _legend_above(axes)

    return _svg(title, draw)


def _plain_log(axis):
    """Ticks that read 20k, 50k, 100k, on however short a stretch of a logarithmic axis."""
    from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullLocator

    axis.axes.autoscale_view()
    low, high = axis.get_view_interval()
    axis.set_major_locator(MaxNLocator(4) if high < 5 * low else LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(EngFormatter(sep=""))
    axis.set_minor_locator(NullLocator())


def _legend_above(axes):
    """Put the legend where it hides no error bar."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=8, columnspacing=1)


def by_frame(curves, chance):
    """Accuracy against frames seen; `curves` is {name: [share of each frame]}."""

    def draw(axes):
        for (name, shares), colour, line in zip(curves.items(), SERIES, ("-", "--"), strict=False):
            frames = range(1, len(shares) + 1)
            low, high = ([share[end] for share in shares] for end in ("low", "high"))
            values = [share["value"] for share in shares]
            axes.plot(frames, values, line, color=colour, label=name)
            axes.fill_between(frames, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.axhline(chance, color=TEXT, linestyle=":", linewidth=1, label="chance")
        axes.set(xlabel="frames seen", ylabel="accuracy", ylim=(0, 1.03), xlim=(1, len(shares)))
        _percent_axis(axes.yaxis)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend()

    return _svg("Accuracy against frames seen", draw)


def reliability(before, after, temperature):
    """How often answers are right against how sure they are, before and after temperature."""

    def draw(axes):
        axes.plot([0, 1], [0, 1], color=TEXT, linestyle=":", linewidth=1)
        curves = ((before, "as they are"), (after, f"logits / {temperature:.2f}"))
        for (found, name), colour, mark in zip(curves, SERIES, "os", strict=False):
            bins = found["bins"]
            most = max(b["clips"] for b in bins)
            points = [(b["confidence"], b["accuracy"]) for b in bins]
            label = f"{name}: error {found['ece']:.1%}"
            sizes = [12 + 60 * b["clips"] / most for b in bins]
            axes.scatter(
                *zip(*points, strict=True), sizes, color=colour, marker=mark, alpha=0.8, label=label
            )
        axes.set(xlabel="probability of the answer", ylabel="right", xlim=(0, 1.03), ylim=(0, 1.05))
        for axis in (axes.xaxis, axes.yaxis):
            _percent_axis(axis)
        axes.legend(loc="lower right")

    return _svg("Reliability of the probabilities", draw)


def dropped(rows):
    """Accuracy against dropped frames; `rows` as evaluate.json's "dropped"."""

    def draw(axes):
        names = list(dict.fromkeys(row["precision"] for row in rows))
        for number, (name, colour, mark) in enumerate(zip(names, SERIES, "osD", strict=False)):
            mine = [row for row in rows if row["precision"] == name]
            values, errors = _errors([row["accuracy"] for row in mine])
            every = [row["every"] + 0.05 * (number - 1) for row in mine]
            axes.errorbar(
                every, values, errors, marker=mark, color=colour, capsize=2, linewidth=1, label=name
            )
        shown = sorted({row["every"] for row in rows})
        axes.set_xticks(shown, ["all", *(f"1 of {n}" for n in shown[1:])])
        axes.set(xlabel="frames pushed", ylabel="accuracy", ylim=(0, 1.03))
        _percent_axis(axes.yaxis)
        _legend_above(axes)

    return _svg("Accuracy against dropped frames", draw)


def alarms(thresholds):
    """Events named against false alarms an hour, one point for each threshold."""

    def draw(axes):
        points = [
            (row["false_alarms"], row["events"]["right"] / row["events"]["events"], row)
            for row in thresholds
        ]
        rates = [false["per_hour"] for false, _, _ in points]
        errors = [
            [false["per_hour"] - false["low"] for false, _, _ in points],
            [false["high"] - false["per_hour"] for false, _, _ in points],
        ]
        shares = [share for _, share, _ in points]
        axes.errorbar(rates, shares, xerr=errors, marker="o", linewidth=1, capsize=2)
        for rate, share, row in zip(rates, shares, thresholds, strict=True):
            axes.annotate(
                *(f"{row['threshold']:g}", (rate, share)),
                textcoords="offset points",
                xytext=(3, -12),
                fontsize=8,
            )
        axes.set(xlabel="false alarms an hour (95% interval)", ylabel="events named rightly")
        axes.set_xlim(left=0)
        axes.margins(y=0.2)
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, -0.02), min(high, 1.02))
        _percent_axis(axes.yaxis)

    return _svg("Events named against false alarms, by threshold", draw)


def training(history):
    """Accuracy of each epoch, {"accuracy": [...], "validation_accuracy": [...]}."""

    def draw(axes):
        names = {"accuracy": "training clips", "validation_accuracy": "validation clips"}
        for (key, name), colour in zip(names.items(), SERIES, strict=False):
            epochs = range(1, len(history[key]) + 1)
            axes.plot(epochs, history[key], marker="o", color=colour, label=name)
        axes.set(xlabel="epoch", ylabel="accuracy, float", ylim=(0, 1.03))
        axes.xaxis.get_major_locator().set_params(integer=True)
        _percent_axis(axes.yaxis)
        axes.legend()

    return _svg("Training", draw)


def arena(places, ops, total):
    """What lies where in the arena while each op runs. `places` as `evaluation.costs` has them."""

    def draw(axes):
        from matplotlib.patches import Rectangle

        tips = {}
        for number, place in enumerate(places):
            first, last = max(place["first"], -1), min(place["last"], len(ops))
            box = Rectangle(
                *((first - 0.5, place["offset"]), last - first + 1, place["bytes"]),
                facecolor=SERIES[number % len(SERIES)],
                alpha=0.55,
                edgecolor=PAPER,
                linewidth=1,
                gid=f"place{number}",
            )
            axes.add_patch(box)
            tips[box.get_gid()] = (
                f"{place['name']}: {place['bytes']:,} bytes at {place['offset']:,}"
            )
        axes.set(
            xlim=(-1.5, len(ops) + 0.5),
            ylim=(0, total * 1.02),
            ylabel="bytes",
            xticks=range(-1, len(ops) + 1),
        )
        axes.set_xticklabels(["input", *ops, "output"], rotation=90, fontsize=7)
        axes.grid(visible=False, axis="x")
        return tips

    return _svg("The arena while each op runs", draw, height=4.2)


def state(places):
    """Where each op keeps what it needs of earlier frames."""

    def draw(axes):
        rows = range(len(places))
        offsets = [place["offset"] for place in places]
        axes.barh(rows, [place["bytes"] for place in places], left=offsets, color=SERIES[0])
        axes.set_yticks(rows, [place["name"] for place in places])
        axes.invert_yaxis()
        axes.set(xlabel="bytes")
        axes.grid(visible=False, axis="y")

    return _svg("The state between frames", draw, height=1 + 0.25 * len(places))
