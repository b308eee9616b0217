"""Watch an OV7670 on the RP2040; see README.md."""

import machine
import motionlet
from motionlet.watch import Watch
from ov7670 import HEIGHT, OV7670, WIDTH

SDA, SCL = 4, 5
FIRST, CLOCK = 6, 17  # D0 to D7, VSYNC, HREF, PCLK: GP6 to GP16


def main(model_path="/rom/gesture.mlet"):
    i2c = machine.I2C(0, sda=machine.Pin(SDA), scl=machine.Pin(SCL), freq=100_000)
    camera = OV7670(i2c, FIRST, CLOCK)
    model = motionlet.load(model_path)
    print(model)
    watch = Watch(model.stream(WIDTH, HEIGHT, motionlet.YUV422))
    watch.run(camera.capture)
    return watch


if __name__ == "__main__":
    main()
