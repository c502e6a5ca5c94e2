#!/bin/bash -l
#PBS -N fr-1a2b-b001
#PBS -A proj
#PBS -q debug
#PBS -l select=2:system=aurora
#PBS -l place=scatter
#PBS -l walltime=01:00:00
#PBS -l filesystems=home:flare
#PBS -j oe
#PBS -o "/home/me/my run/.flowrules/blocks/b001/"
#PBS -r n

cd '/home/me/my run' || exit 1
# the one PBS sets under mpiexec is too long for a socket
export TMPDIR=/tmp
exec /opt/python -m flowrules.app.runner '/home/me/my run/.flowrules/blocks/b001'
