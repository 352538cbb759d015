#!/usr/bin/env bash
# A build as a Slurm job: one Ray over the machines of the allocation, the build on the first.
#   uv sync && sbatch configs/cluster/slurm.sh brain.yaml --run runs/brain
# from a checkout that all machines see. Submit it again after the time limit: the build continues.
#SBATCH --job-name=raymed
#SBATCH --output=raymed-%j.log
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=1
#SBATCH --time=04:00:00
#SBATCH --exclusive
# --exclusive, as the last thing that symmetric-run does is `ray stop`: it ends every Ray of yours
# on the machine, those of your other jobs too.
set -euo pipefail

export PATH="$PWD/.venv/bin:$PATH"  # symmetric-run calls `ray` by its name
export RAY_AUTH_MODE=token  # only who has the token may use this Ray
export RAY_USAGE_STATS_ENABLED=0
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=300  # seconds; 30 is short for a busy file system
[[ -e ~/.ray/auth_token ]] || ray get-auth-token --generate >/dev/null
chmod 600 ~/.ray/auth_token  # Ray leaves it readable by all

# This script runs on the first machine: its address, as its name may mean 127.0.1.1 there.
export RAY_ADDRESS="$(hostname -I | cut -d' ' -f1):$((20000 + SLURM_JOB_ID % 10000))"

srun --ntasks-per-node=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" \
    ray symmetric-run --address "$RAY_ADDRESS" --min-nodes "$SLURM_JOB_NUM_NODES" \
    --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="${SLURM_GPUS_ON_NODE:-0}" -- \
    raymed build "$@" cluster.address=auto
