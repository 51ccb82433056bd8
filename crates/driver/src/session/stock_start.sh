# What the job's own shell does before a script: it lets the helper, `stock.sh`, do all that can be
# done elsewhere, and evaluates the script. $1 is this program, $2 the helper, $3 an option of the shell.
# Its environment is the image's own, and the script must find it as it is. So only syntax stands in
# here, programs by their full names, and special builtins, which no alias (hence the backslashes) and
# no function that is exported (see `stock.rs`) hides. What is said before the mark is not the script's.
# The text for the second `eval` is left in fr_script. The mark is made by an `eval` as well, so that a
# shell that evaluates nothing has started nothing. No apostrophe may stand in here.
fr_flags=
# Exported, a script would be too long for any program; traced, it would be told twice.
case $- in *a*) fr_flags=a ;; esac
case $- in *x*) fr_flags=x$fr_flags ;; esac
{ \set +ax; } 2>/dev/null
fr_call="/usr/bin/env -i LC_ALL=C \"PATH=/usr/sbin:/usr/bin:/sbin:/bin:\${PATH-}\" \"HOME=\${HOME-}\" \"TMPDIR=\${TMPDIR-}\" \"XDG_RUNTIME_DIR=\${XDG_RUNTIME_DIR-}\" /bin/sh -c \"\$2\" sh \"\$2\" \"\${PATH-}\""
if { fr_script=$(\eval "$fr_call take $$ ${4-}"); } 3>&1; then
    case $fr_script in
    "") fr_script="\exit 0" ;;
    /*) \exec "$fr_script" "$0" ${3:+"$3"} -c "\eval \"\$1\"; \eval \"\$fr_script\"" "$0" "$1" "$2" "${3-}" group ;;
    *)
        fr_line=${fr_script%%:*}
        fr_script=${fr_script#*:}
        fr_nonce=${fr_line%% *}
        case $fr_flags in ?*) fr_flags="\set -$fr_flags;" ;; esac
        case $fr_script in
        *"$fr_nonce")
            # Evaluated by the command itself, so that its lines count from 1.
            fr_script="\unset fr_script; $fr_flags ${fr_script%$fr_nonce}"
            if \eval "$fr_call begin $$ $fr_line"; then
                case $fr_line in *joined) \exec 2>&1 ;; esac
                \exec </dev/null
                \unset fr_flags fr_call fr_line fr_nonce
                \set --
            else
                fr_script="\exit 125"
            fi
            ;;
        *) fr_script="\exit 125" ;;
        esac
        ;;
    esac
else
    fr_script="\exit $?"
fi
