"""Which framework a file is from: `kind_of`."""

import contextlib
import zipfile
from pathlib import Path

from host_sdk.errors import MotionletError
from host_sdk.files import read

_WANTED = "want a .keras or an int8 .tflite file"
# What a file of something else begins with.
_OTHERS = {
    b"\x89HDF\r\n\x1a\n": "HDF5, as older Keras wrote it: load it in Keras and save it as .keras",
    b"MLET": "a Motionlet model already: `host_sdk inspect` and `deploy` take it",
    b"\x08": "ONNX or another protocol buffer, it seems: " + _WANTED,
    b"\x0a": "a frozen TensorFlow graph, it seems: " + _WANTED,
}


def kind_of(path):
    """Return "keras" or "tflite". Raises MotionletError saying what else the file is."""
    path = Path(path)
    if path.is_dir():
        saved = (path / "saved_model.pb").exists()
        what = "a SavedModel: convert it with tf.lite.TFLiteConverter" if saved else "a folder"
        raise MotionletError(f"{path} is {what}; {_WANTED}")
    data = read(path)
    if data[4:8] == b"TFL3":
        return "tflite"
    if data[:2] == b"PK":
        names = []
        with contextlib.suppress(zipfile.BadZipFile, OSError, ValueError):
            names = zipfile.ZipFile(path).namelist()
        if "config.json" in names:
            return "keras"
        if any(name.endswith("data.pkl") for name in names):
            raise MotionletError(f"{path} is of PyTorch; {_WANTED}")
        raise MotionletError(f"{path} is a zip archive, but no Keras model; {_WANTED}")
    for start, what in _OTHERS.items():
        if data.startswith(start):
            raise MotionletError(f"{path} is {what}")
    raise MotionletError(f"{path} is of no known kind; {_WANTED}")
