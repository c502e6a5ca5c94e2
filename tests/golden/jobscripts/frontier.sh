#!/bin/bash -l
#SBATCH --job-name=fr-1a2b-b001
#SBATCH --account=proj
#SBATCH --partition=batch
#SBATCH --nodes=8
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --mem=0
#SBATCH --time=02:00:00
#SBATCH --output="/home/me/my run/.flowrules/blocks/b001/batch-%j.out"
#SBATCH --no-requeue
#SBATCH --open-mode=append

cd '/home/me/my run' || exit 1
export TMPDIR=/tmp
exec /opt/python -m flowrules.app.runner '/home/me/my run/.flowrules/blocks/b001'
