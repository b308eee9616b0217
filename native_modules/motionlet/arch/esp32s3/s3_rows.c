#include "mlet_requantize.h"
#include "s3_rows.h"

// The sum of output i of channel c of a job.
static int32_t sum_of(const s3_rows_t *job, uint32_t c, uint32_t i) {
    const int8_t *x = job->x + i * job->row, *weights = job->weights + c * job->row;
    int32_t sum = job->output.bias[c];
    for (uint32_t e = 0; e < job->row; e++) {
        sum += (x[e] - job->in_zero) * weights[e];
    }
    return sum;
}

#ifndef __XTENSA__
// The twin of s3_rows.S.
void s3_rows(s3_rows_t *job) {
    for (uint32_t c = 0; c < job->channels; c++) {
        int8_t *y = job->y + c;
        for (uint32_t i = 0; i < job->outputs; i++, y += job->y_step) {
            *y = s3_requantize(&job->output, c, sum_of(job, c, i));
        }
    }
}
#endif

void s3_run_rows(s3_rows_t *job, const mlet_layer_t *layer, uint32_t first) {
    job->output = s3_output(layer, first);
    if (s3_is_high(&job->output, job->channels)) {
        s3_rows(job);
        return;
    }
    for (uint32_t c = 0; c < job->channels; c++) {
        int8_t *y = job->y + c;
        for (uint32_t i = 0; i < job->outputs; i++, y += job->y_step) {
            *y = mlet_requantize(layer, sum_of(job, c, i), first + c);
        }
    }
}
