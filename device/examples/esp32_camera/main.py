"""Watch the camera of an ESP32-S3 board; see README.md."""

import motionlet
from camera import Camera, FrameSize, GrabMode, PixelFormat
from motionlet.watch import Watch


def main(model_path="/rom/gesture.mlet"):
    # LATEST with two buffers: a frame is never older than the one before it.
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
    watch.run(camera.capture)
    return watch


if __name__ == "__main__":
    main()
