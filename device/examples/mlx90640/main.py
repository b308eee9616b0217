"""Watch an MLX90640 thermal array; see README.md."""

import machine
import motionlet
from mlx90640 import HEIGHT, MLX90640, WIDTH
from motionlet.watch import Watch

SDA, SCL = 4, 5
RATE = 8  # subpages a second: two for each frame that the model sees


def main(model_path="/rom/thermal.mlet"):
    i2c = machine.I2C(0, sda=machine.Pin(SDA), scl=machine.Pin(SCL), freq=400_000)
    sensor = MLX90640(i2c, rate=RATE)
    model = motionlet.load(model_path)
    print(model)
    watch = Watch(model.stream(WIDTH, HEIGHT, motionlet.FLOAT32))
    # `capture` waits for the sensor, which sets the rate.
    watch.run(sensor.capture, frames_per_second=0)
    return watch


if __name__ == "__main__":
    main()
