#!/bin/bash -l
#PBS -N fr-1a2b-b001
#PBS -A proj
#PBS -l select=1:ncpus=16
#PBS -l place=scatter:excl
#PBS -l walltime=01:00:00
#PBS -j oe
#PBS -o "/home/me/my run/.flowrules/blocks/b001/"
#PBS -r n

cd '/home/me/my run' || exit 1
# the one PBS sets under mpiexec is too long for a socket
export TMPDIR=/tmp
exec /opt/python -m flowrules.app.runner '/home/me/my run/.flowrules/blocks/b001'
