# The loops of the READMEs, as they stand there, take no memory from the heap: from the first frame
# on, with labels and all.
import sys

sys.path.append(VECTORS)
import gc

from testlib import model_path, read


class Done(Exception):
    pass


class Camera:
    """Gives one frame again and again, and counts what the heap loses from one to the next."""

    def __init__(self, size):
        self.frame = bytes(size)
        self.turns = self.used = self.before = 0

    def capture(self):
        if self.turns > 0:
            self.used += gc.mem_alloc() - self.before
        if self.turns == 8:
            raise Done
        self.turns += 1
        self.before = gc.mem_alloc()
        return self.frame


for name, size in (("readme_loop_0.py", 160 * 120), ("readme_loop_1.py", 96 * 96 * 2)):
    code = bytes(read(name)).decode()
    begin = code.index('"/rom/')
    end = code.index('"', begin + 1) + 1
    code = code[:begin] + repr(model_path("tiny_separable")) + code[end:]
    assert "while True" in code
    assert "model.labels[" in code
    camera = Camera(size)
    gc.collect()
    gc.disable()
    try:
        exec(code, {"camera": camera})
    except Done:
        pass
    finally:
        gc.enable()
    assert camera.turns == 8
    assert camera.used == 0, camera.used
print("OK")
