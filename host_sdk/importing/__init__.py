"""Networks from elsewhere: what `host_sdk import` does.

- keras_file.py: a Keras model is calibrated on data, and becomes a run folder or a graph;
- tflite_graph.py: an int8 `.tflite` file becomes a graph with the file's own scales and weights;
- kinds.py tells files apart by what is in them.
"""
