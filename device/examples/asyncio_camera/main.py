"""Watch a camera while other tasks run; see README.md."""

import asyncio

import motionlet
from acamera import Camera, FrameSize, GrabMode, PixelFormat
from machine import Pin
from motionlet.watch import Watch

LED, BUTTON = 21, 0


async def watch_camera(camera, watch, alarm):
    def on_alarm(label, frame):
        print("frame {}: {}".format(frame, label))
        alarm.set()

    while True:
        await asyncio.sleep_ms(watch.wait_ms())
        watch.push(await camera.acapture(), on_alarm)


async def blink(led, alarm):
    """Three times for an alarm."""
    while True:
        await alarm.wait()
        alarm.clear()
        for value in (1, 0) * 3:
            led.value(value)
            await asyncio.sleep_ms(100)


async def begin_anew(button, watch):
    """When the button is down, forget what was seen."""
    while True:
        if not button.value():
            watch.reset()
        await asyncio.sleep_ms(50)


async def main(model_path="/rom/gesture.mlet"):
    camera = Camera(
        frame_size=FrameSize.R96X96,
        pixel_format=PixelFormat.GRAYSCALE,
        fb_count=2,
        grab_mode=GrabMode.LATEST,
    )
    model = motionlet.load(model_path)
    print(model)
    width, height = camera.get_pixel_width(), camera.get_pixel_height()
    watch = Watch(model.stream(width, height, motionlet.GRAY8))
    alarm = asyncio.Event()
    await asyncio.gather(
        watch_camera(camera, watch, alarm),
        blink(Pin(LED, Pin.OUT), alarm),
        begin_anew(Pin(BUTTON, Pin.IN, Pin.PULL_UP), watch),
    )


if __name__ == "__main__":
    asyncio.run(main())
