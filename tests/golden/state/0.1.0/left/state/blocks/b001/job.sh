#!/bin/bash -l
#PBS -N fr-1f306f-b001
#PBS -l select=1
#PBS -l walltime=00:03:00
#PBS -j oe
#PBS -o /tmp/flowrules-state/left/.flowrules/blocks/b001/
#PBS -r n

cd /tmp/flowrules-state/left || exit 1
# the one PBS sets under mpiexec is too long for a socket
export TMPDIR=/tmp
exec /usr/bin/python3 -m flowrules run-block /tmp/flowrules-state/left/.flowrules/blocks/b001
