# Written by `fargate-runner check --probe`. It tells what this task reaches, one line for each step, and changes
# nothing but a file of its own in each volume, which it removes.
set -u
LC_ALL=C
export LC_ALL
# Seconds for one request.
limit=10
tell() {
    printf 'probe\t%s\t%s\t' "$1" "$2"
    printf '%s' "$3" | tr '\t\r\n' '   ' | cut -c 1-300
    printf '\n'
}
have() { command -v "$1" >/dev/null 2>&1; }
resolve() {
    if have getent; then
        if found=$(getent hosts "$2" 2>&1); then
            tell "$1" ok "${found%%[!0-9a-fA-F.:]*}"
        else
            tell "$1" failed "getent ended with $?"
        fi
    elif have nslookup; then
        if found=$(nslookup "$2" 2>&1); then tell "$1" ok ""; else tell "$1" failed "$found"; fi
    else
        tell "$1" missing "getent or nslookup"
    fi
}
# Any answer of HTTP counts: it proves that the other side is reached.
reach() {
    if have curl; then
        if code=$(curl -s -m "$limit" -o /dev/null -w '%{http_code}' "$2" 2>/dev/null); then
            tell "$1" ok "HTTP $code"
        else
            tell "$1" failed "curl $?"
        fi
    elif have wget; then
        said=$(ask_wget /dev/null "$2" 2>&1)
        case "$?:$said" in
            0:*) tell "$1" ok "HTTP 200" ;;
            # GNU's status for an answer that is an error, and the words of BusyBox.
            8:* | *"server returned error"*) tell "$1" ok "an answer" ;;
            *) tell "$1" failed "$said" ;;
        esac
    else
        tell "$1" missing "curl or wget"
    fi
}
ask_wget() {
    case $(wget --help 2>&1) in
        *BusyBox*) wget -q -T "$limit" -O "$1" "$2" ;;
        *) wget -nv -t 1 -T "$limit" -O "$1" "$2" ;;
    esac
}
address() {
    if have curl; then
        if said=$(curl -sf -m "$limit" "$2" 2>/dev/null); then
            tell "$1" ok "$said"
        else
            tell "$1" failed "curl $?"
        fi
    elif have wget; then
        if said=$(ask_wget - "$2" 2>/dev/null); then tell "$1" ok "$said"; else tell "$1" failed "wget $?"; fi
    else
        tell "$1" missing "curl or wget"
    fi
}
volume() {
    file="$2/.fargate-runner-probe-$$"
    if ! [ -d "$2" ]; then
        tell "$1" failed "there is no folder $2"
    elif ! said=$( (echo probe >"$file") 2>&1); then
        tell "$1" failed "writing: $said"
    elif ! said=$(mv "$file" "$file.moved" 2>&1); then
        tell "$1" failed "renaming: $said"
        rm -f "$file"
    elif ! said=$(rm "$file.moved" 2>&1); then
        tell "$1" failed "removing: $said"
    else
        tell "$1" ok ""
    fi
}
read_only_volume() {
    if said=$(ls -a "$2" 2>&1); then tell "$1" ok ""; else tell "$1" failed "$said"; fi
}
