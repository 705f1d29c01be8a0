#!/bin/sh
# setup.sh KIND ROOT VENV: find a Python that can make environments and let it do the rest.

# -I everywhere: without it Python would import from the directory that we happen to be called in.
new_enough() { "$1" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
makes_venvs() { "$1" -I -c 'import ensurepip, venv' >/dev/null 2>&1; }

here=${0%/*}
uv=$(command -v uv)
incapable=
if [ -n "${AISBX_PYTHON-}" ]; then
    candidates=$AISBX_PYTHON # named by the user: this one or none
else
    candidates='python3 python3.14 python3.13 python3.12 python3.11 python'
fi
set -f
IFS='
'
[ -n "${AISBX_PYTHON-}" ] || IFS=' '
for python in $candidates; do
    new_enough "$python" || continue
    # pip rather than uv where there is a choice: the user's index settings are pip's, and uv does not read them.
    if makes_venvs "$python"; then exec "$python" -I "$here/setup.py" "$@"; fi
    if [ -n "$uv" ]; then exec "$python" -I "$here/setup.py" "$@" "$uv"; fi
    incapable=${incapable:-$(command -v "$python")}
done
if [ -n "$incapable" ]; then
    echo "aisbx: $incapable cannot make virtual environments (it has no ensurepip): apt-get install python3-venv, or install uv" >&2
elif [ -n "${AISBX_PYTHON-}" ]; then
    echo "aisbx: AISBX_PYTHON=$AISBX_PYTHON is not a Python 3.11 or newer" >&2
else
    echo "aisbx: needs Python 3.11 or newer: apt-get install python3 python3-venv, or name one in AISBX_PYTHON" >&2
fi
exit 125
