"""What a model is, as facts: operators, records of the file, the quantized graph, normalization.

Nothing here computes a network or knows a device. `operators` says what each operator is, `mlet`
holds the file's codes, records and limits, `graph` the `Graph` that every stage after the
quantizer works on, `check` what SPEC.md asks of one.
"""
