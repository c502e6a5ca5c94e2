#!/bin/bash -l
#SBATCH --job-name=fr-1a2b-b001
#SBATCH --account=proj
#SBATCH --partition=night
#SBATCH --qos=high
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --mem=0
#SBATCH --time=00:30:00
#SBATCH --constraint=gpu&nvme
#SBATCH --licenses=a:2
#SBATCH --gpus-per-node=4
#SBATCH --output="/home/me/my run/.flowrules/blocks/b001/batch-%j.out"
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --dependency=afterany:12.host:13[]
#SBATCH --mail-type=NONE

cd '/home/me/my run' || exit 1
export TMPDIR=/tmp
exec /opt/python -m flowrules.app.runner '/home/me/my run/.flowrules/blocks/b001'
