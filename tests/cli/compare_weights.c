/* SPDX-License-Identifier: Apache-2.0
 * For tests/cli/cases/mpi.sh: exits with 0 if two checkpoints have the same tensors and the weights differ by at most
 * LIMIT times their length, as vectors. Usage: compare_weights A B LIMIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "icseg/memory.h"
#include "icseg/tensor_file.h"

static int fail(const icseg_error *error) {
    fprintf(stderr, "%s\n", error->message);
    return 2;
}

int main(int argc, char **argv) {
    icseg_tensor_file *file;
    icseg_error error;
    double difference = 0, length = 0;
    if (argc != 4) return 2;
    if (icseg_tensor_file_open(&file, argv[1], &error) != ICSEG_OK) return fail(&error);
    for (size_t i = 0; i < icseg_tensor_file_count(file); i++) {
        const char *name = icseg_tensor_file_name(file, i);
        icseg_tensor a, b;
        if (!strncmp(name, "adamw.", 6)) continue;
        if (icseg_tensor_read(&a, argv[1], name, &error) != ICSEG_OK) return fail(&error);
        if (icseg_tensor_read(&b, argv[2], name, &error) != ICSEG_OK) return fail(&error);
        int64_t count = 1;
        for (int32_t axis = 0; axis < a.rank; axis++) count *= a.shape[axis];
        for (int64_t j = 0; j < count; j++) {
            double x = (double)((const float *)a.data)[j], y = (double)((const float *)b.data)[j];
            difference += (x - y) * (x - y);
            length += x * x;
        }
        icseg_buffer_free(a.data);
        icseg_buffer_free(b.data);
    }
    icseg_tensor_file_close(&file);
    printf("relative difference %.3g\n", sqrt(difference / length));
    return sqrt(difference / length) <= strtod(argv[3], NULL) ? 0 : 1;
}
