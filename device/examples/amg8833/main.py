"""Watch an AMG8833 thermal array; see README.md."""

import machine
import motionlet
from amg8833 import AMG8833
from motionlet.watch import Watch

SDA, SCL = 4, 5


def main(model_path="/rom/thermal.mlet"):
    i2c = machine.I2C(0, sda=machine.Pin(SDA), scl=machine.Pin(SCL), freq=400_000)
    sensor = AMG8833(i2c)
    model = motionlet.load(model_path)
    print(model)
    watch = Watch(model.stream(8, 8, motionlet.INT16))
    watch.run(sensor.capture)
    return watch


if __name__ == "__main__":
    main()
