#include "mlet_requantize.h"
#include "s3_dots.h"

// Sum number i of a job.
static int32_t sum_of(const s3_dots_t *job, uint32_t i) {
    const int16_t *x = job->x + (int32_t)i * (job->x_step / (int32_t)sizeof(int16_t));
    int32_t sum = job->bias;
    for (uint32_t e = 0; e < 4 * job->quads; e++) {
        sum += x[e] * job->weights[e];
    }
    return sum;
}

#ifndef __XTENSA__
// The twin of s3_dots.S.
void s3_dots(const s3_dots_t *job) {
    int8_t *y = job->y;
    for (uint32_t i = 0; i < job->outputs; i++, y += job->y_step) {
        *y = s3_requantize(&job->output, sum_of(job, i));
    }
}
#endif

void s3_run_channel(s3_dots_t *job, const mlet_layer_t *layer, uint32_t o) {
    job->bias = layer->bias[o];
    if (s3_is_high(layer, o)) {
        job->output = s3_output(layer, o);
        s3_dots(job);
        return;
    }
    int8_t *y = job->y;
    for (uint32_t i = 0; i < job->outputs; i++, y += job->y_step) {
        *y = mlet_requantize(layer, sum_of(job, i), o);
    }
}
