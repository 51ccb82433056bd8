# The helper that a stock sshd is given with each command, always the same. It needs /bin/sh,
# /usr/bin/env, /proc, head, sleep, mkdir, rm and grep. The job's own shell runs `stock_start.sh`, which
# starts this one with an environment of its own, so that nothing that the image sets, exports or
# defines reaches it: $1 is this program, $2 the image's PATH, $3 what is to be done:
#   take PID [group]        reads the request from stdin; PID is the shell that asks
#   begin PID NONCE GRACE GONE STREAMS
#                           before the script: ends the former one, leaves who attends, marks both streams
#   attend, watch           see their functions
# The requests:
#   ready NONCE LIFETIME IDLE SHELL      leaves the watchdog, tells what the task has
#   run NONCE LENGTH GRACE GONE STREAMS  then LENGTH bytes: the script and NONCE
# After a script that is complete, stdin stays open: a line `end GRACE` ends what runs, and so does
# its end once nobody came back for GONE seconds. Exit 125: the request was not complete.
# No apostrophe may stand in here: the program is one quoted word of the command.
fr_look() {
    IFS= read -r fr_line <"/proc/$1/stat" || return 1
    set -- ${fr_line##*) }
    # A zombie runs no more.
    [ "$1" != Z ] || return 1
    fr_group=$3
    shift 19
    fr_start=$1
} 2>/dev/null
# A process by its number and the moment of its start, because numbers come again.
fr_lives() { fr_look "$1" && [ "$fr_start" = "$2" ]; }
fr_pause() { sleep 0.1 2>/dev/null || sleep 1; }
# This program once more, reading from 3, as a process that outlives this one, in a session of its
# own if it can.
# Streams are left by `exec`: a shell that redirects a function keeps the former ones open.
fr_again() {
    (
        exec <&3 3<&- >/dev/null 2>&1
        set -- /bin/sh -c "$fr_program" sh "$fr_program" "$fr_path" "$@"
        command -v setsid && exec setsid "$@"
        exec "$@"
    ) &
}
fr_clock() { IFS=" ." read -r fr_now fr_line </proc/uptime; }
# TERM, and KILL after $3 seconds: to the group of leader $1, or to the leader where it has none.
fr_end() {
    fr_target=-$1
    if ! kill -TERM "$fr_target" 2>/dev/null; then
        fr_target=$1
        fr_lives "$1" "$2" && kill -TERM "$1" 2>/dev/null || return
    fi
    fr_clock
    fr_until=$((fr_now + $3))
    while kill -0 "$fr_target" 2>/dev/null && fr_clock && [ "$fr_now" -le "$fr_until" ]; do fr_pause; done
    # First the records: without setsid we are of that group ourselves.
    rm -f "$fr_folder/group.$1.$2" "$fr_folder/ending.$1.$2"
    kill -KILL "$fr_target" 2>/dev/null || return
    # Who is killed is gone a moment later; who is never reaped is not waited for.
    for fr_now in 1 2 3 4 5; do
        kill -0 "$fr_target" 2>/dev/null || return
        fr_pause
    done
}
# A former script that still runs, or that is being ended. What one that is over has left behind is
# let be, and so is its record: a number and its moment do not come again.
fr_end_former() {
    for fr_record in "$fr_folder"/group.* "$fr_folder"/ending.*; do
        [ -e "$fr_record" ] || continue
        fr_name=${fr_record##*/}
        fr_name=${fr_name#*.}
        fr_lives "${fr_name%.*}" "${fr_name#*.}" || [ "${fr_record##*/}" = "ending.$fr_name" ] || continue
        fr_end "${fr_name%.*}" "${fr_name#*.}" "$1"
        rm -f "$fr_record"
    done
}
# `true >` and not `: >`: where the file cannot be opened, some shells end with a special builtin.
fr_find_folder() {
    for fr_folder in "${XDG_RUNTIME_DIR:-/dev/shm}/.fargate-runner" "${TMPDIR:-/tmp}/.fargate-runner" \
        "$HOME/.fargate-runner"; do
        [ -d "$fr_folder" ] || mkdir -m 700 "$fr_folder" || continue
        true >>"$fr_folder/seen" && return
    done
    fr_folder=
} 2>/dev/null
# Beside a script: hears wishes to end it, and that its client is gone.
fr_attend() {
    trap "" TERM INT HUP
    if IFS=" " read -r fr_word fr_grace; then
        true >"$fr_folder/ending.$1.$2"
        fr_end "$1" "$2" "$fr_grace"
    else
        fr_left=$3
        while fr_lives "$1" "$2" && [ "$fr_left" -gt 0 ]; do
            sleep 1
            fr_left=$((fr_left - 1))
        done
        fr_lives "$1" "$2" && fr_end "$1" "$2" 10
    fi
    [ -e "$fr_folder/ending.$1.$2" ] && rm -f "$fr_folder/ending.$1.$2"
    echo "$1.$2" >"$fr_folder/seen"
} >/dev/null 2>&1
fr_is_busy() {
    for fr_record in "$fr_folder"/group.*; do
        fr_name=${fr_record##*/group.}
        [ -e "$fr_record" ] && fr_lives "${fr_name%.*}" "${fr_name#*.}" && return 0
    done
    return 1
}
# Ends the task at its deadline, and when no client came for so long.
fr_watch() {
    trap "" TERM INT HUP
    fr_tick=$((($2 < $1 ? $2 : $1) / 4))
    [ "$fr_tick" -gt 15 ] && fr_tick=15
    [ "$fr_tick" -lt 1 ] && fr_tick=1
    fr_clock
    fr_last=$((fr_now + $1)) fr_idle=$((fr_now + $2)) fr_known=
    while [ "$fr_now" -lt "$fr_last" ] && [ "$fr_now" -lt "$fr_idle" ]; do
        sleep "$fr_tick"
        fr_clock
        fr_seen=
        IFS= read -r fr_seen <"$fr_folder/seen"
        # Where nothing can be written, nobody can be seen, so nobody counts as idle.
        if [ "$fr_seen" != "$fr_known" ] || fr_is_busy || ! true >"$fr_folder/tick"; then
            fr_known=$fr_seen fr_idle=$((fr_now + $2))
        fi
    done
    # An init that has no handler ignores us; it ends when nothing else is left.
    kill -TERM 1
    sleep 10
    kill -TERM -1
    sleep 10
    kill -KILL -1
} >/dev/null 2>&1
# Only process 1 of our own container may be ended. An SSH server writes its title over its
# environment, any other shows our variable.
fr_may_watch() {
    IFS= read -r fr_line </proc/1/comm && kill -0 1 && command -v setsid || return
    case $fr_line in
    sshd | dropbear) ;;
    *) grep -q FARGATE_RUNNER_JOB= /proc/1/environ ;;
    esac
} >/dev/null 2>&1
fr_program=$1 fr_path=$2 fr_part=$3
shift 3
umask 077
case $fr_part in
attend)
    fr_find_folder
    # Where there is no folder, what would be kept in it goes nowhere.
    fr_folder=${fr_folder:-/proc/none}
    fr_attend "$@"
    ;;
watch)
    fr_find_folder
    fr_watch "$@"
    ;;
begin)
    fr_find_folder
    [ -n "$fr_folder" ] && fr_end_former "$3" 2>/dev/null
    fr_look "$1" || exit 125
    if [ -n "$fr_folder" ]; then
        { true >"$fr_folder/group.$1.$fr_start" && echo "$2" >"$fr_folder/seen"; } 2>/dev/null
    fi
    exec 3<&0 </dev/null
    fr_again attend "$1" "$fr_start" "$4"
    exec 3<&-
    echo "fargate-runner-started-$2"
    echo "fargate-runner-started-$2" >&2
    ;;
take)
    fr_look "$1" || exit 125
    # Only who leads no group: else setsid forks, and its own end would be told as that of the script.
    if [ -z "${2-}" ] && [ "$fr_group" != "$1" ] && command -v setsid; then exit; fi
    IFS=" " read -r fr_verb fr_nonce fr_a fr_b fr_c fr_d && [ -n "$fr_c" ] || exit 125
    case $fr_verb in
    ready)
        exec >&3 3</dev/null
        fr_find_folder
        echo "fargate-runner-started-$fr_nonce"
        (PATH=$fr_path && command -v "$fr_c") >/dev/null && echo shell
        [ -n "$fr_folder" ] && [ "$fr_group" = "$1" ] && echo group
        if [ -n "$fr_folder" ] && fr_may_watch; then
            fr_again watch "$fr_a" "$fr_b"
            echo watchdog
        fi
        echo end
        ;;
    run)
        printf "%s:" "$fr_nonce $fr_b $fr_c $fr_d"
        head -c "$fr_a" || exit 125
        ;;
    *) exit 125 ;;
    esac
    ;;
esac
