"""Name the gesture in a recorded clip, frame by frame. It needs no camera.

The clip is a file that numpy.save wrote, uint8 [frames, height, width]:

    mpremote cp clip.npy :/clip.npy
    mpremote run device/examples/recorded_clip/main.py
"""

import time

import motionlet


def read_header(file):
    """Return the shape of the clip in a .npy file, and leave the file at its first frame."""
    start = file.read(10)
    if start[:6] != b"\x93NUMPY":
        raise ValueError("the clip is not a file from numpy.save")
    header = file.read(start[8] | start[9] << 8).decode()
    shape = header[header.index("(") + 1 : header.index(")")].split(",")
    shape = [int(n) for n in shape if n.strip()]
    if "'|u1'" not in header or "'fortran_order': False" not in header or len(shape) != 3:
        raise ValueError("the clip is not uint8 [frames, height, width]: " + header.strip())
    return shape


def main(model_path="/rom/gesture.mlet", clip_path="/clip.npy"):
    model = motionlet.load(model_path)
    print(model)
    with open(clip_path, "rb") as file:
        frames, height, width = read_header(file)
        stream = model.stream(width, height, motionlet.GRAY8)
        frame = bytearray(width * height)
        for number in range(frames):
            file.readinto(frame)
            begin = time.ticks_us()
            stream.push(frame)
            took = time.ticks_diff(time.ticks_us(), begin)
            best = stream.argmax()
            score = stream.scores()[best]
            print("{:3} {} {:.2f} {} us".format(number, model.labels[best], score, took))


if __name__ == "__main__":
    main()
