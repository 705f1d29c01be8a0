# Sourced by ./aisbx and ./dev with $root set. `use_venv run|dev` leaves the environment's folder in $venv.
# The ordinary path (it exists and is fresh) uses shell built-ins only.

# Is the environment $venv complete for KIND, newer than what it was made from, and made for this very folder?
venv_is_fresh() {
    stamp=$venv/.aisbx-$1
    [ -r "$stamp" ] && [ -x "$venv/bin/python" ] || return 1
    for input in "$root"/requirements*.lock "$root"/aisbx-*/pyproject.toml "$root/tools/setup.py"; do
        if [ "$input" -nt "$stamp" ]; then return 1; fi
    done
    IFS= read -r made_for <"$stamp" && [ "$made_for" -ef "$root" ] # a moved checkout leaves links that point nowhere
}

use_venv() {
    venv=$root/.venv
    if venv_is_fresh "$1"; then return; fi
    if ! [ -w "$root" ] || { [ -e "$venv" ] && ! [ -w "$venv" ]; }; then
        # Somebody else's checkout (or their environment in it): keep ours in our own cache, under the checkout's path.
        case $root/ in */../* | */./*) root=$(cd -- "$root" && pwd -P) || exit 125 ;; esac
        if [ -z "${XDG_CACHE_HOME-}${HOME-}" ]; then
            echo "aisbx: $root is not writable and HOME is not set: nowhere to put the environment" >&2
            exit 125
        fi
        venv=${XDG_CACHE_HOME:-$HOME/.cache}/aisbx/checkouts$root/.venv
        if venv_is_fresh "$1"; then return; fi
    fi
    /bin/sh "$root/tools/setup.sh" "$1" "$root" "$venv" || exit 125
    if venv_is_fresh "$1"; then return; fi
    echo "aisbx: the environment $venv is still not usable after its set-up; remove it and try again" >&2
    exit 125
}
