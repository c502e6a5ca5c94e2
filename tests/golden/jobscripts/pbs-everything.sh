#!/bin/bash -l
#PBS -N fr-1a2b-b001
#PBS -A proj
#PBS -q night
#PBS -l select=2:ncpus=16
#PBS -l place=scatter:excl
#PBS -l walltime=00:30:00
#PBS -l filesystems=home
#PBS -j oe
#PBS -o "/home/me/my run/.flowrules/blocks/b001/"
#PBS -r y
#PBS -W depend=afterany:12.host:13[]
#PBS -l mem=60gb
#PBS -m n

cd '/home/me/my run' || exit 1
# the one PBS sets under mpiexec is too long for a socket
export TMPDIR=/tmp
exec /opt/python -m flowrules.app.runner '/home/me/my run/.flowrules/blocks/b001'
