"""Motionlet on the laptop: train, quantize, pack, deploy and verify streaming video networks."""

__version__ = "0.1.0"
