# Sourced by ./aisbx and ./dev with $root set. `use_venv run|dev` leaves the environment's folder in $venv.
# The ordinary path (it exists and is fresh) uses shell built-ins only.

# As in setup.py: by name, so that nobody adds to what is looked at by making a file.
inputs='requirements-run.lock requirements.lock tools/setup.py aisbx-core/pyproject.toml aisbx-driver-bwrap/pyproject.toml
    aisbx-driver-chroot/pyproject.toml
    aisbx-driver-lima/pyproject.toml
    aisbx-egress/pyproject.toml aisbx-linux/pyproject.toml aisbx-mcp/pyproject.toml aisbx-profiles/pyproject.toml
    aisbx-supervisor/pyproject.toml aisbx-vault/pyproject.toml
    aisbx-linux/native/build.py aisbx-linux/native/answer.h aisbx-linux/native/append.c
    aisbx-linux/native/append.h aisbx-linux/native/assemble.c aisbx-linux/native/brief.c aisbx-linux/native/client.c
    aisbx-linux/native/client.h aisbx-linux/native/command.c aisbx-linux/native/command.h aisbx-linux/native/enter.c
    aisbx-linux/native/entries.c aisbx-linux/native/front.c aisbx-linux/native/front.h aisbx-linux/native/group.c
    aisbx-linux/native/group.h aisbx-linux/native/hand.c aisbx-linux/native/helper.c aisbx-linux/native/input.c
    aisbx-linux/native/instruct.c aisbx-linux/native/join.c aisbx-linux/native/join.h aisbx-linux/native/kernel.c
    aisbx-linux/native/kernel.h aisbx-linux/native/launch.c aisbx-linux/native/look.c aisbx-linux/native/look.h
    aisbx-linux/native/look_data.h aisbx-linux/native/notify.c aisbx-linux/native/notify.h
    aisbx-linux/native/options.c aisbx-linux/native/output.c aisbx-linux/native/plan.c
    aisbx-linux/native/plan.h aisbx-linux/native/plan_name.c aisbx-linux/native/plan_read.c
    aisbx-linux/native/plan_read.h aisbx-linux/native/program.c aisbx-linux/native/record.c aisbx-linux/native/record.h aisbx-linux/native/recorder.c
    aisbx-linux/native/recorder.h aisbx-linux/native/relay.h
    aisbx-linux/native/sha256.c aisbx-linux/native/sha256.h aisbx-linux/native/spawn.c aisbx-linux/native/stage.c
    aisbx-linux/native/stage.h aisbx-linux/native/start.c aisbx-linux/native/stay.c aisbx-linux/native/tally.c
    aisbx-linux/native/tally.h aisbx-linux/native/text.c aisbx-linux/native/watch.c aisbx-linux/native/watcher.c'

# Is the environment $venv complete for KIND, newer than what it was made from, and made for this very folder?
venv_is_fresh() {
    stamp=$venv/.aisbx-$1
    [ -r "$stamp" ] && [ -x "$venv/bin/python" ] || return 1
    for input in $inputs; do
        if [ "$root/$input" -nt "$stamp" ]; then return 1; fi
    done
    IFS= read -r made_for <"$stamp" && [ "$made_for" -ef "$root" ] # a moved checkout leaves links that point nowhere
}

# Where the environment or pip's cache would go if $1 is the value of $2; below the current directory it must not.
absolute() {
    case $1 in
        '' | /*) ;;
        *)
            echo "aisbx: config: $2: '$1' is not an absolute path; hint: unset $2 or correct it" >&2
            exit 125
            ;;
    esac
}

use_venv() {
    venv=$root/.venv
    if venv_is_fresh "$1"; then return; fi
    absolute "${HOME-}" HOME
    absolute "${XDG_CACHE_HOME-}" XDG_CACHE_HOME
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
