"""Train a network a little further, to answer as another does: `fine_tune`.

Quantization-aware training and pruning both start from a network that knows its task. What they
have to recover is its answers, so these are the goal, not the labels: any clips will do.
"""

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.networks import import_keras

BATCH = 32  # clips
TEMPERATURE = 3.0


def fine_tune(student, teacher, variables, clips, real, epochs, learning_rate, seed=0, tell=None):
    """Change `variables` so that `student` answers as `teacher` does.

    Both are functions from real clips, float32 [N, T, H, W, C], to logits [N, T, classes];
    `variables` (of Keras) are the student's. `clips` are an array of clips that the function
    `real` makes such input of, batch by batch. The loss is the cross entropy of all frames'
    probabilities, softened by a temperature (Hinton et al., "Distilling the Knowledge in a Neural
    Network", 2015). The step starts at `learning_rate` and falls to 0 along a cosine. The same
    seed gives the same result on one machine. `tell(done, total)` hears of every step.
    """
    import tensorflow as tf

    if not isinstance(epochs, int) or epochs < 1:
        raise MotionletError(f"epochs must be an integer of at least 1, not {epochs!r}")
    keras = import_keras()
    tf.config.experimental.enable_op_determinism()
    tf.random.set_seed(seed)
    rng = np.random.default_rng(seed)
    batches = -(-len(clips) // BATCH)
    total = epochs * batches
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, total)
    optimizer = keras.optimizers.Adam(schedule)
    optimizer.build(variables)
    values = [variable.value for variable in variables]

    @tf.function(reduce_retracing=True)
    def step(x):
        wanted = tf.nn.softmax(tf.stop_gradient(teacher(x)) / TEMPERATURE)
        with tf.GradientTape() as tape:
            got = student(x) / TEMPERATURE
            cross_entropy = tf.nn.softmax_cross_entropy_with_logits(labels=wanted, logits=got)
            loss = tf.reduce_mean(cross_entropy) * TEMPERATURE**2
        optimizer.apply(tape.gradient(loss, values), variables)
        return loss

    for epoch in range(epochs):
        order = rng.permutation(len(clips))
        for i in range(batches):
            rows = order[i * BATCH : (i + 1) * BATCH]
            loss = float(step(tf.constant(real(clips[np.sort(rows)]))))
            if not np.isfinite(loss):
                raise MotionletError(f"fine-tuning diverged with learning_rate {learning_rate}")
            if tell:
                tell(epoch * batches + i + 1, total)
