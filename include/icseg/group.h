/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Processes that work together, on one machine or on many: mpirun or srun starts them, and each joins the others with
 * icseg_group_open. Training divides every batch among them (icseg_train_options.group), evaluation and prediction
 * divide the images.
 *
 *     icseg_group_open(&group, &error);
 *     icseg_train_options options = {ICSEG_TRAIN_OPTIONS_INIT, .out = "run", .group = group};
 *     icseg_status status = icseg_train(recipe, &options, NULL, NULL, &error);
 *     if (status != ICSEG_OK && !icseg_group_failed_together(group)) icseg_group_abort(group);
 *     icseg_group_close(&group);
 *
 * MPI carries the messages. libicseg does not depend on it: a small library for each MPI, libicseg_mpi_openmpi.so or
 * libicseg_mpi_mpich.so, is loaded from libicseg's own directory when processes were started together. */
#ifndef ICSEG_GROUP_H
#define ICSEG_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "icseg/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The processes of a run. All of them make the same calls with it in the same order. One thread at a time may use it,
 * the one that opened it. */
typedef struct icseg_group icseg_group;

/** Joins the processes that a launcher started together with this one. Waits until all of them have joined.
 *
 * Environment variables of the launcher tell which MPI it belongs to: OMPI_COMM_WORLD_SIZE (Open MPI), PMIX_RANK with
 * SLURM_NTASKS (Open MPI under Slurm), PMI_SIZE (MPICH and its relatives). ICSEG_MPI may name the library instead:
 * "openmpi", "mpich", the path of a file, or "off".
 *
 * @param out receives the group; NULL if this process works alone. Close it with icseg_group_close
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_UNSUPPORTED if the library for this MPI cannot be loaded; ICSEG_ERROR_IO if joining fails;
 * ICSEG_ERROR_ARGUMENT if the process has opened a group before: MPI can be started once */
ICSEG_API icseg_status icseg_group_open(icseg_group **out, icseg_error *error);

/** Leaves the group and sets the pointer to NULL. Waits for the other processes. Accepts NULL. */
ICSEG_API void icseg_group_close(icseg_group **group);

/** Waits for all processes and tells whether they all go on. A process that cannot passes its status and its message.
 *
 * @param group the group; for NULL, `status` is returned
 * @param status ICSEG_OK, or why this process cannot go on
 * @param error holds the message of that status, and receives that of the process which decides: the first that failed,
 * and one that was cancelled last. It then begins with the number of that process, unless it is this one. May be NULL
 * @return ICSEG_OK if all passed it, else the same status in all processes; ICSEG_ERROR_IO if they cannot be reached */
ICSEG_API icseg_status icseg_group_agree(icseg_group *group, icseg_status status, icseg_error *error);

/** The share of `count` things that this process takes, for NULL all of them.
 *
 * @param group the group
 * @param count 0 or more
 * @param first receives the index of the first of them; NULL: not needed
 * @return their number: all processes' shares together are `count` */
ICSEG_API int64_t icseg_group_share(const icseg_group *group, int64_t count, int64_t *first);

/** Whether the last call that failed has failed in all processes, with the same status and message: they can then leave
 * in order, and one of them reports the error. False for NULL. */
ICSEG_API bool icseg_group_failed_together(const icseg_group *group);

/** Ends all processes of the group, this one included, with exit status 1: the way out after an error that only this
 * process has, while the others wait for it. Returns only if `group` is NULL. */
ICSEG_API void icseg_group_abort(icseg_group *group);

/** The number of this process, from 0; 0 for NULL. */
ICSEG_API int32_t icseg_group_rank(const icseg_group *group);

/** The number of processes; 1 for NULL. */
ICSEG_API int32_t icseg_group_size(const icseg_group *group);

#ifdef __cplusplus
}
#endif
#endif
