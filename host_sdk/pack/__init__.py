"""From a quantized graph to the bytes of an `.mlet` file.

`packing` decides what is packed for which target: everything that deploys, reports or measures a
model asks there. `planner` and `chains` lay out memory, `dead_taps` leaves out what meets no pixel,
`targets` knows the weight layouts, `mlet_file` writes and reads the file. `pipeline` goes the whole
way from a run folder.
"""
