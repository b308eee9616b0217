# A damaged file is refused, and the error names what is wrong.
import sys

sys.path.append(VECTORS)
import motionlet
from testlib import Reader, Skip, model_path, raises, read

TARGETS = ("portable", "cortex_m0plus", "esp32s3")
good = read("tiny_tsm.mlet")
if not model_path("tiny_tsm").endswith("tsm.mlet"):
    # A native module with tuned kernels: the other sections of the file are checked as they are
    # in a firmware, with the same code.
    wanted = "model is packed for portable, this build runs {}: deploy it with host_sdk"
    raises(ValueError, wanted.format(TARGETS[motionlet.TARGET]), motionlet.Model, good)
    raise Skip("it takes no portable file to damage")
reader = Reader("damage.vec", b"MDMG")
_, count = reader.unpack("<HH")
assert count > 30
for _ in range(count):
    (length,) = reader.unpack("<B")
    named = str(reader.array(length, padded=False), "ascii")
    length, patches = reader.unpack("<IB")
    spoilt = bytearray(length)
    kept = min(length, len(good))
    spoilt[:kept] = good[:kept]
    for _ in range(patches):
        at, size = reader.unpack("<IB")
        spoilt[at : at + size] = reader.array(size, padded=False)
    if named == "header: format_version":
        wanted = "model format {}, this firmware reads {}".format(
            motionlet.FORMAT_VERSION + 1, motionlet.FORMAT_VERSION
        )
    elif named == "header: target":
        wanted = "model is packed for an unknown target, this build runs "
        wanted += TARGETS[motionlet.TARGET]
    else:
        wanted = "not a Motionlet model: " + named
    raises(ValueError, wanted, motionlet.Model, spoilt)
    # The same from an odd address, which makes the loader copy the file first.
    shifted = memoryview(bytearray(1 + len(spoilt)))[1:]
    shifted[:] = spoilt
    raises(ValueError, wanted, motionlet.Model, shifted)

# A file cut anywhere is refused too.
for length in range(0, len(good), 61):
    raises(ValueError, "not a Motionlet model", motionlet.Model, good[:length])
motionlet.Model(good)
raises(TypeError, "file is not a buffer", motionlet.Model, None)
raises(TypeError, "file is an array of 'f'", motionlet.Model, __import__("array").array("f", [1]))
print("OK")
