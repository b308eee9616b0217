"""What the tests found to work, noted in build/support.json for tools/support_table.py."""

import json
import os

from host_sdk import install, paths

RECORD = "support.json"


def record(device, script):
    """Note that a script of tests/device passed on a device."""
    path = paths.build() / RECORD
    rows = json.loads(path.read_text()) if path.exists() else {}
    device.reset()  # the script may have left no memory
    facts = device.implementation()
    built_in = device.eval("not hasattr(__import__('_motionlet'), '__file__')")
    how = "firmware" if built_in else "native module"
    key = f"{device.name}, {facts['machine']}, {facts['version']}, {how}"
    row = rows.setdefault(key, {"scripts": []})
    row.update(
        device=device.name,
        machine=facts["machine"],
        architecture=install.describe_mpy(facts["mpy"])[0],
        micropython=facts["version"],
        motionlet=how,
        scripts=sorted({*row["scripts"], script}),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{RECORD}.{os.getpid()}")
    temporary.write_text(json.dumps(rows, indent=1) + "\n")
    temporary.replace(path)
