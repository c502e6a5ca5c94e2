#!/bin/bash -l
#PBS -N fr-1a2b-b001
#PBS -A proj
#PBS -q debug-scaling
#PBS -l select=10:system=polaris
#PBS -l place=scatter
#PBS -l walltime=01:00:00
#PBS -l filesystems=home:eagle
#PBS -j oe
#PBS -o "/home/me/my run/.flowrules/blocks/b001/"
#PBS -r n

cd '/home/me/my run' || exit 1
# the one PBS sets under mpiexec is too long for a socket
export TMPDIR=/tmp
exec /opt/python -m flowrules.app.runner '/home/me/my run/.flowrules/blocks/b001'
