"""A sample of clips on a device: the same bytes, and the time they take."""

import numpy as np

from host_sdk.board import verify
from host_sdk.board.deploy import deploy
from host_sdk.board.devices import open_device
from host_sdk.board.remote import RemoteStream
from host_sdk.data.clips import to_input

PROFILED = 2  # times that a frame is run to time its layers; on the virtual Pico one would do

# Prints the clock in Hz, 0 where there is none to ask (the unix port).
CLOCK = """
try:
    import machine
    print(machine.freq())
except (ImportError, AttributeError):
    print(0)
"""


def run_sample(spec, name, data, clips, progress=None):
    """Deploy `data` as `name`, and stream `clips`, samples [N, T, H, W, C], through it.

    Every layer of every frame is compared with the golden model. Returns {device, target, clips,
    frames, bytes, differing_bytes, microseconds_per_frame, clock_hz, layers}; of each layer, the
    microseconds of one frame. The time of a frame is that of `Stream.push`.
    """
    from host_sdk.pack import mlet_file

    graph = mlet_file.read(data)[0]
    with open_device(spec) as device:
        deployed = deploy(device, data, name)
        clock = int(device.exec(CLOCK).strip())
        stream = RemoteStream(device, deployed.path, graph)
        reports = []
        for done, clip in enumerate(clips):
            reports.append(verify.verify(stream, graph, to_input(graph, clip)))
            if progress:
                progress(done + 1, len(clips))
        frames = to_input(graph, clips[0])
        stream.reset()
        times = [stream.push(frame)[1] for frame in frames]
        layers = np.array(stream.profile(frames[-1], PROFILED)) / PROFILED
    return {
        "device": reports[0].target,
        "target": deployed.target,
        "clips": len(clips),
        "frames": sum(report.frames for report in reports),
        "bytes": sum(report.bytes for report in reports),
        "differing_bytes": sum(report.differing_bytes for report in reports),
        "microseconds_per_frame": float(np.mean(times)),
        "clock_hz": clock,
        "layers": layers.tolist(),
    }
