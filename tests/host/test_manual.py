"""The example in mlet.h, the core's manual, is compiled and run."""

import re
import subprocess

import numpy as np

from host_sdk import golden, paths

CORE = paths.repository() / "native_modules/motionlet/core"
PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include "mlet.h"

enum {{ FRAME_BYTES = 160 * 120 }};

static int capture(uint8_t *pixels) {{
    return fread(pixels, FRAME_BYTES, 1, stdin) == 1;
}}

static void watch(const void *file, uint32_t file_bytes, void *memory, uint8_t *pixels) {{
{example}
}}

int main(int count, char **arguments) {{
    static uint8_t file[1 << 16] __attribute__((aligned(MLET_ALIGN)));
    static uint8_t memory[1 << 16] __attribute__((aligned(MLET_ALIGN)));
    static uint8_t pixels[FRAME_BYTES];
    FILE *model = count == 2 ? fopen(arguments[1], "rb") : NULL;
    if (model == NULL) {{
        return 1;
    }}
    watch(file, (uint32_t)fread(file, 1, sizeof(file), model), memory, pixels);
    return fclose(model);
}}
"""


def test_the_example_names_what_the_camera_sees(tiny, tmp_path):
    graph, data = tiny
    manual = (CORE / "mlet.h").read_text()
    lines = re.search(r"^//   mlet_model_t model;\n(?://   .*\n)*", manual, re.M)[0]
    example = lines.replace("//   ", "    ")
    source, program, model = (tmp_path / name for name in ("watch.c", "watch", "model.mlet"))
    source.write_text(PROGRAM.format(example=example))
    model.write_bytes(data)
    command = ["gcc", "-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{CORE}"]
    subprocess.run([*command, source, *sorted(CORE.glob("*.c")), "-o", program], check=True)

    frames = np.random.default_rng(0).integers(0, 256, (12, 120, 160), np.uint8)
    frames[::3] //= 8
    run = [program, model]
    said = subprocess.run(run, input=frames.tobytes(), capture_output=True, check=True).stdout
    said = said.decode().split()

    fit = ("gray8", 160, 120, graph.input_tensor.shape, (20, 0, 120, 120))
    clip = np.stack([golden.frame_to_tensor(frame.tobytes(), *fit) for frame in frames])
    best = golden.run_clip(graph, clip)[-1].reshape(len(frames), -1).argmax(axis=1)
    assert said == [graph.labels[label] for label in best]
    assert len(set(said)) > 1
