"""Measurements from end to end: the benchmark tables, and the demo."""
