"""What the tests found to work, noted in build/support for tools/support_table.py."""

import hashlib
import json
import os

from host_sdk import paths
from host_sdk.board import install

RECORDS = "support"


def record(device, script):
    """Note that a script of tests/device passed on a device."""
    device.reset()  # the script may have left no memory
    facts = device.implementation()
    built_in = device.eval("not hasattr(__import__('_motionlet'), '__file__')")
    how = "firmware" if built_in else "native module"
    before_release = device.eval("__import__('sys').implementation.version[3:]")  # ("preview",)
    version = "-".join([facts["version"], *filter(None, before_release)])
    key = f"{device.name}, {facts['machine']}, {version}, {how}"
    # A file for each row, as several processes may test at once.
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    path = paths.build() / RECORDS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    before = json.loads(path.read_text())["scripts"] if path.exists() else []
    row = {
        "device": device.name,
        "machine": facts["machine"],
        "architecture": install.describe_mpy(facts["mpy"])[0],
        "micropython": version,
        "motionlet": how,
        "scripts": sorted({*before, script}),
    }
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(row, indent=1) + "\n")
    temporary.replace(path)
