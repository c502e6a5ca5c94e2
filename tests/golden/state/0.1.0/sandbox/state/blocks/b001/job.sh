#!/bin/bash -l
#PBS -N fr-68fe99-b001
#PBS -l select=1
#PBS -l walltime=00:03:00
#PBS -j oe
#PBS -o /tmp/flowrules-state/sandbox/.flowrules/blocks/b001/
#PBS -r n

cd /tmp/flowrules-state/sandbox || exit 1
# the one PBS sets under mpiexec is too long for a socket
export TMPDIR=/tmp
exec /usr/bin/python3 -m flowrules run-block /tmp/flowrules-state/sandbox/.flowrules/blocks/b001
