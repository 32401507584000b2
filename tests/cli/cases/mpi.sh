# SPDX-License-Identifier: Apache-2.0
# Several processes: training equals that of one, eval and predict divide the images, errors end all processes.
build=$(dirname "$program")
weights=$build/compare_weights
launchers=()
for mpi in openmpi mpich; do
    if [ -f "$build/libicseg_mpi_$mpi.so" ] && command -v "mpirun.$mpi" >/dev/null && [ -x "$weights" ]; then
        launchers+=("$mpi")
    else
        echo "mpi: skipped: $mpi: the build has no library for it, or mpirun.$mpi is not installed"
    fi
done
[ ${#launchers[@]} -gt 0 ] || return 0

# start N PROGRAM...: with the launcher $mpi, each process with one thread
start() {
    local n=$1
    shift
    case $mpi in
    openmpi)
        OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 timeout 120 mpirun.openmpi --oversubscribe -n "$n" "$@" ;;
    mpich) timeout 120 mpirun.mpich -n "$n" "$@" ;;
    esac
}
export OMP_NUM_THREADS=1

expect 0 '' icseg synth "$work/data" --images 40 --val 7 --size 128x96
cat >"$work/r.yaml" <<'END'
model: {preset: tiny-resnet, dropout: 0.2, context_length: 64}
augment: {crop: [64, 96], resize_short: 0, resize_long: 0}
train: {steps: 20, batch: 8, lr: 5e-4, warmup: 5, log_every: 1, eval_every: 10, checkpoint_every: 5}
eval: {mode: whole, resize_short: 96}
END
train() { echo "$program" train "$work/r.yaml" --data "$work/data" --out; }
alike() { "$weights" "$1/checkpoint.safetensors" "$2/checkpoint.safetensors" "${@:3}"; } # RUN RUN LIMIT [MOMENTS]

# Everything that depends on the place of an image in the batch: dropout, random selection, memory, mined pixels
forms=(
    ""
    "--set model.contrast_memory=2 --set model.contrast_selection=random --set model.contrast_anchor=both --set train.accumulate=2"
    "--set model.ohem_threshold=0.5 --set model.ohem_least=300 --set model.class_weights=inverse --set model.dice_weight=0.5 --set train.memory=low"
    "--set model.preset=tiny-vit --set model.vit_drop_path=0.3 --set model.post_prompt=true --set model.label_smoothing=0.1"
)
for i in "${!forms[@]}"; do
    # shellcheck disable=SC2046,SC2086
    expect 0 '' $(train) "$work/one$i" ${forms[i]}
done
expect 0 '' icseg lr "$work/r.yaml" --data "$work/data" --steps 10 --json "$work/one.lr"
first_losses() { grep -oE '"loss":[0-9.]{5}' "$1" | head -n 3; }
for mpi in "${launchers[@]}"; do
    for i in "${!forms[@]}"; do
        # shellcheck disable=SC2046,SC2086
        expect 0 'best mIoU' start 2 $(train) "$work/$mpi$i" ${forms[i]}
        check "$mpi, 2 processes, ${forms[i]:-the usual form}: the weights of one" alike "$work/one$i" "$work/$mpi$i" 1e-4 0.4
    done
    # shellcheck disable=SC2046
    expect 0 '' start 4 $(train) "$work/${mpi}four"
    check "$mpi, 4 processes: the weights of one" alike "$work/one0" "$work/${mpi}four" 1e-4 0.4
    check "$mpi: one log" [ "$(grep -c '"type":"step"' "$work/${mpi}four/log.jsonl")" = 20 ]
    # shellcheck disable=SC2046
    expect 0 '' start 2 $(train) "$work/${mpi}again"
    check "$mpi: the same bytes again" cmp "$work/${mpi}0/checkpoint.safetensors" "$work/${mpi}again/checkpoint.safetensors"

    # Event files: those of process 0
    # shellcheck disable=SC2046
    expect 0 'best mIoU' start 2 $(train) "$work/${mpi}events" --set train.tensorboard=true \
        --set train.tensorboard_histograms=5 --set train.tensorboard_images=1
    check "$mpi: one event file" [ "$(ls "$work/${mpi}events/tensorboard" | wc -l)" = 1 ]
    check "$mpi: the weights are those without events" alike "$work/${mpi}0" "$work/${mpi}events" 0

    # Evaluation and prediction
    expect 0 '' icseg eval "$work/one0/checkpoint.safetensors" --data "$work/data" --json "$work/alone.json" --images "$work/alone.jsonl"
    expect 0 'mIoU' start 3 "$program" eval "$work/one0/checkpoint.safetensors" --data "$work/data" --json "$work/$mpi.json" \
        --images "$work/$mpi.jsonl"
    check "$mpi: the same metrics" cmp "$work/alone.json" "$work/$mpi.json"
    check "$mpi: the same results of images" cmp "$work/alone.jsonl" "$work/$mpi.jsonl"
    expect 0 '' icseg predict "$work/one0/checkpoint.safetensors" "$work/data/images/val" --out "$work/labels" --json
    expect 0 '' start 3 "$program" predict "$work/one0/checkpoint.safetensors" "$work/data/images/val" --out "$work/labels_$mpi" --json
    check "$mpi: the same labels" diff -r "$work/labels" "$work/labels_$mpi"
    expect 0 '' start 3 "$program" predict "$work/one0/checkpoint.safetensors" "$work/data/images/val" --out "$work/labels_$mpi" --json
    expect 2 'several processes cannot write one file together' start 2 "$program" predict "$work/one0/checkpoint.safetensors" \
        "$work/data/images/val" --out "$work/joint_$mpi" --format coco

    # Sums in bf16, and batch norms that see a part of the batch: other weights, but not many
    # shellcheck disable=SC2046
    expect 0 '' start 2 $(train) "$work/${mpi}bf16" --set train.reduce_bf16=true
    check "$mpi: bf16" alike "$work/one0" "$work/${mpi}bf16" 0.02
    check "$mpi: bf16 is used" bash -c "! cmp -s '$work/${mpi}0/checkpoint.safetensors' '$work/${mpi}bf16/checkpoint.safetensors'"
    # shellcheck disable=SC2046
    expect 0 '' start 2 $(train) "$work/${mpi}local" --set train.sync_bn=false
    check "$mpi: batch norms of each process" bash -c "! '$weights' '$work/one0/checkpoint.safetensors' '$work/${mpi}local/checkpoint.safetensors' 1e-4"

    # Averaged weights, also of batch norms that differ between the processes
    # shellcheck disable=SC2046
    [ -d "$work/average" ] || expect 0 '' $(train) "$work/average" --set train.ema_decay=0.8
    # shellcheck disable=SC2046
    expect 0 'best mIoU' start 2 $(train) "$work/${mpi}average" --set train.ema_decay=0.8
    check "$mpi: the averaged weights of one process" alike "$work/average" "$work/${mpi}average" 1e-4
    # shellcheck disable=SC2046
    expect 0 'best mIoU' start 2 $(train) "$work/${mpi}local average" --set train.ema_decay=0.8 --set train.sync_bn=false
    expect 0 'resumes after step 20' start 4 "$program" train --resume "$work/${mpi}average"

    # A learning-rate range test, whose first losses differ by rounding only
    expect 0 'Suggested train.lr: |No suggestion' start 2 "$program" lr "$work/r.yaml" --data "$work/data" --steps 10 --json "$work/$mpi.lr"
    check "$mpi: the losses of one process" diff <(first_losses "$work/one.lr") <(first_losses "$work/$mpi.lr")

    # All processes stop early together
    # shellcheck disable=SC2046
    expect 0 'best mIoU .* of 10, where train.patience ended the run' start 2 $(train) "$work/${mpi}early" \
        --set train.eval_every=5 --set train.patience=1 --set train.min_delta=0.9
    expect 0 'does not go on, unless train.patience = 1 is changed' start 4 "$program" train --resume "$work/${mpi}early"

    # Another number of processes continues a run
    # shellcheck disable=SC2046
    expect 0 '' start 2 $(train) "$work/${mpi}half" --set train.power=0 --set train.steps=10
    expect 0 'resumes after step 10' start 4 "$program" train --resume "$work/${mpi}half" --set train.steps=20
    [ -d "$work/constant" ] || icseg train "$work/r.yaml" --data "$work/data" --out "$work/constant" --set train.power=0 --quiet >/dev/null
    check "$mpi: resumed with 4 processes" alike "$work/constant" "$work/${mpi}half" 1e-4

    # Errors
    # shellcheck disable=SC2046
    expect 2 'train.batch is 8, which 3 processes cannot share evenly' start 3 $(train) "$work/${mpi}none"
    # shellcheck disable=SC2046
    expect 1 'error: model.lovasz_weight: .* train with one process' start 2 $(train) "$work/${mpi}none" --set model.lovasz_weight=1
    # shellcheck disable=SC2046
    expect 2 'already contains a run' start 2 $(train) "$work/${mpi}0"
    cat >"$work/differ.sh" <<'END'
#!/bin/bash
[ "${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-0}}" = 0 ] || extra=$EXTRA
exec "$@" $extra
END
    chmod +x "$work/differ.sh"
    [ -d "$work/fewer" ] || { cp -r "$work/data" "$work/fewer" && rm "$work"/fewer/*/train/000003.*; }
    [ -d "$work/broken" ] || { cp -r "$work/data" "$work/broken" && for f in "$work"/broken/images/train/*; do echo >"$f"; done; }
    # shellcheck disable=SC2046
    EXTRA="--set train.lr=0.5" expect 2 'process 1: on .* the recipe has train.lr = 0.5, but process 0 has 0.0005' \
        start 2 "$work/differ.sh" $(train) "$work/${mpi}none"
    # shellcheck disable=SC2046
    EXTRA="--data $work/fewer" expect 2 'process 1: on .* the number of training images is: ' \
        start 2 "$work/differ.sh" $(train) "$work/${mpi}none"
    # shellcheck disable=SC2046
    EXTRA="--data $work/broken" expect 1 'process 1: .*/broken/images/train/' start 2 "$work/differ.sh" $(train) "$work/${mpi}none"

    # A process that dies ends the others; what was saved before is complete
    reached() { grep -q '"step":30,' "$1/log.jsonl" 2>/dev/null; }
    # shellcheck disable=SC2046
    start 2 $(train) "$work/${mpi}killed" --set train.steps=4000 --set train.power=0 --set train.eval_every=0 >"$scratch/killed" 2>&1 &
    launcher=$!
    for _ in $(seq 300); do reached "$work/${mpi}killed" && break || sleep 0.2; done
    check "$mpi: a process is killed" kill -KILL "$(pgrep -f "^$program train .*${mpi}killed" | tail -n 1)"
    since=$SECONDS
    wait "$launcher"
    check "$mpi: the killed process ends the run" [ $? -ne 0 ]
    check "$mpi: within a minute" [ $((SECONDS - since)) -lt 60 ]
    check "$mpi: a message" grep -qiE 'killed|terminated|signal' "$scratch/killed"
    expect 0 'resumes after step' start 2 "$program" train --resume "$work/${mpi}killed" --set train.steps=60

    # A signal at one process stops all of them, after the state is saved
    # shellcheck disable=SC2046
    start 2 $(train) "$work/${mpi}stopped" --set train.steps=4000 --set train.power=0 --set train.eval_every=0 \
        --set train.checkpoint_every=0 >"$scratch/stopped" 2>&1 &
    launcher=$!
    for _ in $(seq 300); do reached "$work/${mpi}stopped" && break || sleep 0.2; done
    check "$mpi: a process gets a signal" kill -TERM "$(pgrep -f "^$program train .*${mpi}stopped" | tail -n 1)"
    wait "$launcher"
    check "$mpi: the stopped run is saved" grep -q 'stopped after step [0-9]* of 4000; the run is saved' "$scratch/stopped"
done

# Two network namespaces with host names of their own, which reach each other by TCP
namespaces() {
    [ "$(id -u)" = 0 ] && [[ " ${launchers[*]} " == *" openmpi "* ]] && command -v ip >/dev/null || return 1
    a=icseg_a_$$ b=icseg_b_$$
    ip netns add "$a" && ip netns add "$b" && ip link add v0 netns "$a" type veth peer name v1 netns "$b" &&
        ip -n "$a" addr add 10.77.0.1/24 dev v0 && ip -n "$b" addr add 10.77.0.2/24 dev v1 &&
        ip -n "$a" link set v0 up && ip -n "$b" link set v1 up && ip -n "$a" link set lo up && ip -n "$b" link set lo up
}
if namespaces 2>/dev/null; then
    cat >"$work/agent.sh" <<END
#!/bin/bash
shift
exec ip netns exec $b unshare --uts sh -c 'hostname other; exec sh -c "\$1"' sh "\$*"
END
    chmod +x "$work/agent.sh"
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    # shellcheck disable=SC2046
    expect 0 'best mIoU' timeout 120 ip netns exec "$a" mpirun.openmpi --host 10.77.0.1:1,10.77.0.2:1 -n 2 \
        --mca plm_rsh_agent "$work/agent.sh" --mca btl tcp,self --mca btl_tcp_if_include 10.77.0.0/24 \
        --mca oob_tcp_if_include 10.77.0.0/24 $(train) "$work/network"
    check "two network namespaces: the same bytes" cmp "$work/openmpi0/checkpoint.safetensors" "$work/network/checkpoint.safetensors"
    sent=$(ip -n "$a" -s link show v0 | awk '/TX:/ { getline; print $1 }')
    check "two network namespaces: gradients went through the network" [ "$sent" -gt 1000000 ]
else
    echo "mpi: skipped: two network namespaces, which need root, ip and Open MPI"
fi
ip netns del "${a:-}" 2>/dev/null
ip netns del "${b:-}" 2>/dev/null

# Without a launcher's variables, or with ICSEG_MPI=off, a process works alone
ICSEG_MPI=off OMPI_COMM_WORLD_SIZE=2 expect 0 '' icseg eval "$work/one0/checkpoint.safetensors" --data "$work/data"
ICSEG_MPI=lam OMPI_COMM_WORLD_SIZE=2 expect 2 'ICSEG_MPI is "lam"; expected openmpi, mpich, off, or the path' \
    icseg eval "$work/one0/checkpoint.safetensors" --data "$work/data"
ICSEG_MPI=$work/none.so OMPI_COMM_WORLD_SIZE=2 expect 1 'this process was started by MPI, but the library for it cannot be loaded: .*none.so' \
    icseg eval "$work/one0/checkpoint.safetensors" --data "$work/data"
