"""Push frames as they come and say when something happens; documented in watch.pyi."""

from array import array
from math import exp
from time import sleep_ms, ticks_add, ticks_diff, ticks_ms

from micropython import const

BACKGROUND_NAMES = ("background", "none", "other", "idle", "nothing", "empty", "still", "frozen")
_ONE = const(1 << 14)  # a probability of 1; integers, since floats take memory
_NAP = const(1000)  # milliseconds that a watchdog surely waits
_LAST_FRAME = const((1 << 30) - 1)  # larger integers take memory, too


class Watch:
    def __init__(self, stream, smooth=4, threshold=0.8, hold=3, quiet=BACKGROUND_NAMES, feed=None):
        if smooth < 1 or hold < 1:
            raise ValueError("smooth and hold must be at least 1 frame")
        if not 0 < threshold <= 1:
            raise ValueError("threshold must be above 0 and at most 1")
        model = stream.model
        if len(model.inputs) != 1 or model.inputs[0].period != 1:
            raise ValueError("a model of one input, of period 1, can be watched: push its frames")
        self.stream = stream
        self.feed = feed
        if feed:
            stream.feed = feed
        self.smooth, self.hold = smooth, hold
        self.labels = model.labels
        self.quiet = tuple(label.lower() in quiet for label in model.labels)
        classes = len(stream.output(0))
        if classes != len(model.labels):
            raise ValueError("{} labels for {} classes".format(len(model.labels), classes))
        scale = model.outputs[0].scale
        # exp of a score's distance from the largest one, so the sum is below 2**15 a class.
        self._exp = array("H", [int((_ONE << 1) * exp(-scale * d) + 0.5) for d in range(256)])
        self._past = array("H", bytes(2 * smooth * classes))
        self._total = array("i", bytes(4 * classes))
        self._run = array("i", bytes(4 * classes))
        self._need = int(threshold * _ONE)
        self._seen = self._place = 0
        self._reason = None
        self.frames = self.skipped = self.late = 0
        self.pace(model.frames_per_second)

    def reset(self):
        self.stream.reset()
        self._seen = 0
        for c in range(len(self._total)):
            self._total[c] = self._run[c] = 0
        for i in range(len(self._past)):
            self._past[i] = 0

    def push(self, frame, on_alarm=None):
        if frame is None:
            self._skip("the camera gave no frame")
            return False
        try:
            logits = self.stream.push(frame)
        except (TypeError, ValueError) as error:
            self._skip(str(error))
            return False
        self.frames = self.frames + 1 & _LAST_FRAME
        self._judge(logits, on_alarm)
        return True

    def _judge(self, logits, on_alarm):
        classes = len(logits)
        top = logits[self.stream.argmax()]
        total = 0
        for c in range(classes):
            total += self._exp[top - logits[c]]
        place = self._place
        self._place = (place + classes) % len(self._past)
        if self._seen < self.smooth:
            self._seen += 1
        for c in range(classes):
            probability = (self._exp[top - logits[c]] << 14) // total
            self._total[c] += probability - self._past[place + c]
            self._past[place + c] = probability
            if self._total[c] < self._need * self._seen:
                self._run[c] = 0
                continue
            if self._run[c] == self.hold:  # counted no further: years would wrap it
                continue
            self._run[c] += 1
            if self._run[c] == self.hold and not self.quiet[c]:
                if on_alarm:
                    on_alarm(self.labels[c], self.frames)
                else:
                    print("frame {}: {}".format(self.frames, self.labels[c]))

    def _skip(self, reason):
        self.skipped += 1
        if reason != self._reason:
            self._reason = reason
            print("frame skipped:", reason)

    def pace(self, frames_per_second):
        self._period = int(1000 / frames_per_second + 0.5) if frames_per_second else 0
        self._due = None

    def wait_ms(self):
        now = ticks_ms()
        if self._due is None:
            self._due = now
        wait = ticks_diff(self._due, now)
        if wait < -self._period:
            if self._period:
                self.late += 1
            self._due = now
        self._due = ticks_add(self._due, self._period)
        return max(wait, 0)

    def _rest(self, ms):
        while True:
            if self.feed:
                self.feed()
            sleep_ms(min(ms, _NAP))
            ms -= _NAP
            if ms <= 0:
                return

    def run(self, capture, on_alarm=None, frames_per_second=None):
        self._due = None
        if frames_per_second is not None:
            self.pace(frames_per_second)
        while True:
            self._rest(self.wait_ms())
            try:
                frame = capture()
            except StopIteration:
                return
            except OSError as error:
                self._skip("the camera failed: {}".format(error))
                continue
            self.push(frame, on_alarm)
