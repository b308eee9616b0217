"""Networks from elsewhere: `import`."""

from pathlib import Path

import rich_click as click

from host_sdk.cli.common import console, json_option, out_option, print_result
from host_sdk.errors import MotionletError
from host_sdk.train.run_folder import CALIBRATION_CLIPS


def _ends(context, parameter, text):
    if text is None:
        return None
    try:
        low, high = (float(number) for number in text.split(","))
    except ValueError:
        raise MotionletError(f"--pixels {text}: want LOW,HIGH, such as -1,1") from None
    return low, high


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="What to calibrate a Keras model with: a folder of clips, one folder a class; or a `.npy` "
    "or `.npz` file of samples, uint8 pixels or floats, shaped as the model takes them.",
)
@out_option(help="Default: FILE as a run folder (with a folder of clips), or FILE.graph.")
@click.option(
    "--pixels",
    "ends",
    metavar="LOW,HIGH",
    callback=_ends,
    help="The numbers that black and white are to a Keras model, such as `-1,1`; default: what a "
    "Rescaling in front makes of them, else `0,1`.",
)
@click.option("--labels", help="Names of the classes, with commas between, or a file of lines.")
@click.option("--fps", type=click.FloatRange(0, 1000), help="Frames a second.")
@click.option("--frames", type=click.IntRange(2), help="Of a clip from the folder; default: 16.")
@click.option(
    "--clips",
    type=click.IntRange(1),
    default=CALIBRATION_CLIPS,
    show_default=True,
    help="Samples of an array to calibrate with.",
)
@json_option
def import_(file, data, out, ends, labels, fps, frames, clips, as_json):
    """Take in a Keras model (`.keras`) or an int8 `.tflite` file.

    It becomes a graph for `pack`, or a run folder, which can be evaluated too. Layers that cannot
    be taken in are all named at once, and then nothing is written. What becomes of each layer is
    in docs/import.md.
    """
    from host_sdk.files import read
    from host_sdk.importing.kinds import kind_of

    kind = kind_of(file)
    names = _labels(labels)
    if kind == "tflite":
        for option, value in (("--data", data), ("--pixels", ends), ("--frames", frames)):
            if value is not None:
                raise MotionletError(f"{option} is for Keras models; {file} is quantized already")
        from host_sdk.importing.tflite_graph import import_tflite

        imported = import_tflite(read(file), file, names, fps or 0.0)
    elif data is None:
        raise MotionletError(
            "a Keras model is calibrated: give --data a folder of clips, or an array"
        )
    else:
        from host_sdk.importing import keras_file
        from host_sdk.networks import load_network

        model = load_network(file)
        if data.is_dir():
            if names:
                raise MotionletError(f"--labels: the folders of {data} are the labels")
            out = out or file.with_suffix("")
            imported = keras_file.import_to_run(model, data, out, ends, frames, fps)
            _tell(imported, out, as_json)
            return
        samples = keras_file.load_samples(data)
        imported = keras_file.import_model(model, samples, names, fps or 0.0, ends, clips)
    from host_sdk.format.graph import save_graph

    out = out or file.with_suffix(".graph")
    save_graph(imported.graph, out)
    _tell(imported, out, as_json)


def _labels(text):
    if text is None:
        return []
    if Path(text).is_file():
        from host_sdk.files import read

        text = read(text).decode(errors="replace").replace("\n", ",")
    return [name.strip() for name in text.split(",") if name.strip()]


def _tell(imported, out, as_json):
    graph = imported.graph
    for note in () if as_json else imported.notes:
        console.print(note)
    figures = {"ops": len(graph.ops), "parameters": graph.parameters}
    print_result(
        as_json,
        {"wrote": str(out), **figures, "notes": imported.notes},
        f"{len(graph.ops)} ops, {graph.parameters:,} parameters; wrote {out}",
    )
