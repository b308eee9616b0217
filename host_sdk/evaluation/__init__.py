"""What a trained network is worth: on unseen clips, on background, on clips without motion.

- `evaluate`: everything about one run folder, or about its seeds; writes evaluate.json;
- `metrics`: figures with their intervals; `alarms`: when a device speaks, and how often wrongly;
- `controls`: clips without motion; `leaks`: what else gives a label away;
- `inference`: the int8 network in C on this machine; `on_device`: a sample on a device.
"""

from host_sdk.evaluation.alarms import Rule
from host_sdk.evaluation.evaluate import Options, evaluate, evaluate_folder

__all__ = ["Options", "Rule", "evaluate", "evaluate_folder"]
