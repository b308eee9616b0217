# Watch: the rule that `host_sdk evaluate` counts alarms by, frames that fail, and no allocation.
import sys

sys.path.append(VECTORS)
from testlib import need_clock

need_clock()
from math import exp
from time import sleep_ms, ticks_add, ticks_diff, ticks_ms

import motionlet
import motionlet.watch as watch_module
from examplelib import taken
from motionlet.watch import Watch
from testlib import model_path, model_trace, raises

clip, _ = model_trace("tiny_separable")
model = motionlet.load(model_path("tiny_separable"))
frames = [clip[t * 5 % len(clip)] for t in range(20)]

stream, probabilities = model.stream(), []
for frame in frames:
    stream.push(frame)
    scores = stream.scores()
    values = [exp(score - max(scores)) for score in scores]
    probabilities.append([value / sum(values) for value in values])


def expected(smooth, threshold, hold):
    """The rule in floats, as host_sdk.evaluation.alarms has it, and how near it was to the edge."""
    runs, alarms, margin = [0] * len(model.labels), [], 1
    for t in range(len(frames)):
        past = probabilities[max(0, t + 1 - smooth) : t + 1]
        for c, label in enumerate(model.labels):
            mean = sum(p[c] for p in past) / len(past)
            margin = min(margin, abs(mean - threshold))
            runs[c] = runs[c] + 1 if mean >= threshold else 0
            if runs[c] == hold:
                alarms.append((label, t + 1))
    return alarms, margin


alarms = []


def note(label, number):
    alarms.append((label, number))


given = 0
for smooth, threshold, hold in ((1, 0.4, 1), (2, 0.36, 2), (4, 0.3, 3), (7, 0.45, 1)):
    watch = Watch(model.stream(), smooth, threshold, hold, quiet=())
    for turn in range(2 if smooth == 4 else 1):  # a reset forgets all
        alarms.clear()
        for frame in frames:
            assert watch.push(frame, note)
        wanted, margin = expected(smooth, threshold, hold)
        assert margin > 0.0005, margin
        assert [(label, number - turn * len(frames)) for label, number in alarms] == wanted
        given += len(alarms)
        watch.reset()
assert given > 5, given

# Labels that mean "nothing to report" give no alarm.
alarms.clear()
watch = Watch(model.stream(), 1, 0.01, 1, quiet=tuple(label.lower() for label in model.labels[1:]))
watch.push(frames[0], note)
assert alarms == [(model.labels[0], 1)]

# Frames that fail are skipped and counted; the stream stays as it was.
watch, plain = Watch(model.stream()), model.stream()
good = 0
for frame in (frames[0], None, frames[1], frames[2][:-1], [1, 2], None, None, frames[3]):
    used = watch.push(frame)
    assert used == (type(frame) is memoryview and len(frame) == len(frames[0]))
    if used:
        good += 1
        assert bytes(plain.push(frame)) == bytes(watch.stream.output(0))
assert (watch.frames, watch.skipped, watch.late) == (good, 5, 0) == (3, 5, 0)

# The loop: an I2C error is one more skipped frame; the model's rate, or the one asked for, is kept.
source = list(frames[:6])


def capture():
    if not source:
        raise StopIteration
    frame = source.pop(0)
    if frame is frames[2]:
        raise OSError(5)
    if frame is frames[4]:
        sleep_ms(130)
    return frame


begin = ticks_ms()
watch.run(capture, frames_per_second=20)
assert ticks_diff(ticks_ms(), begin) >= 250
assert (watch.frames, watch.skipped) == (good + 5, 6)
assert watch.late >= 1

# Time wraps: a loop that nothing paces runs on for weeks, and so does one that is always late.
now, real_ticks = [0], watch_module.ticks_ms
watch_module.ticks_ms = lambda: now[0]
for rate in (0, 10):
    now[0] = 0
    watch.pace(rate)
    late = watch.late
    for _ in range(9):
        assert watch.wait_ms() == 0
        now[0] = ticks_add(now[0], 1 << 27)  # 37 hours; they wrap at 2**30 or later
    assert watch.late - late == (8 if rate else 0)
watch.pace(10)
assert [watch.wait_ms() for _ in range(3)] == [0, 100, 200]
watch_module.ticks_ms = real_ticks

# Years: a count stays small, a class that was likely ever since is said once, and the mean goes on.
watch, young = [Watch(model.stream(), 3, 0.01, 2, quiet=()) for _ in range(2)]
for frame in frames[:6]:
    watch.push(frame, note)
    young.push(frame, note)
alarms.clear()
watch.frames = (1 << 30) - 2
for frame in frames[6:]:
    watch.push(frame, note)
    young.push(frame, note)
    assert list(watch._total) == list(young._total)
    assert max(watch._run) <= 2
assert alarms == []
assert watch.frames == len(frames) - 6 - 2

for rule in ({"smooth": 0}, {"hold": 0}):
    raises(ValueError, "smooth and hold must be at least 1 frame", Watch, model.stream(), **rule)
for threshold in (0, 1.5):
    raises(ValueError, "above 0 and at most 1", Watch, model.stream(), 4, threshold)

# A watchdog is fed before each frame, and while the loop waits.
fed, source = [0], list(frames[:4])


def feed():
    fed[0] += 1


watch = Watch(model.stream(), threshold=1, feed=feed)
assert watch.stream.feed is feed
watch.run(capture, frames_per_second=50)
assert fed[0] == 5
watch.pace(1 / 2)
source = [frames[0], frames[1]]
watch.run(capture)
assert fed[0] == 5 + 1 + 2 + 2

# It takes no memory while nothing is to be said.
watch = Watch(model.stream(), threshold=1)
assert taken(lambda: watch.push(frames[1])) == 0
print("OK")
