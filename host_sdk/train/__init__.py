"""Training: from a task and a network to a Keras model and a record of how it came about.

`TrainConfig` (config.py) holds everything that decides the outcome. `train` (run.py) makes the
clips, runs the epochs (loop.py) and writes a run folder; `train_seeds` does it with several seeds.
"""

from host_sdk.train.config import TrainConfig
from host_sdk.train.loop import Stopped
from host_sdk.train.run import TrainResult, accuracy, float_logits, saved_config, train, train_seeds

__all__ = [
    "Stopped",
    "TrainConfig",
    "TrainResult",
    "accuracy",
    "float_logits",
    "saved_config",
    "train",
    "train_seeds",
]
