#!/bin/sh
# Plays docker-compose.yml once, from the images to one job, and takes everything down again:
#
#   1. builds the images, and their base if the engine has none
#   2. starts ministack and the registry, with a password that is drawn for this run
#   3. pushes the image of the jobs into the registry, and removes it from the engine
#   4. makes the account: the registry's login goes to Secrets Manager
#   5. starts PostgreSQL and `fargate-runner serve`, whose page asks for a token that is drawn for this run
#   6. runs one job through `fargate-runner custom`; its task is a container whose image comes from the registry
#   7. asks the page what became of the job
#
#   images/compose-demo.sh PROGRAMS
#
# With WRONG_LOGIN=1, Secrets Manager gets a login that the registry refuses: to see how such a job fails.
#
# PROGRAMS and the other variables are those of images/build.sh. DOCKER_HOST, or the context of Docker, names an
# engine with a socket on this machine. The images stay on it; nothing else does. The password is in no argument
# list, and in no file that outlives the run.
set -eu
umask 077

cd "$(dirname "$0")/.."
# The longest that a step may take, in seconds.
build_time=900
step_time=180

# In the foreground, so that Ctrl-C reaches the command as well.
limited() { timeout --foreground "$step_time" "$@"; }

fail() {
    echo "compose-demo: $*" >&2
    exit 1
}

[ -d "${1:-}" ] || fail "the folder of the binaries is expected, such as target/debug; \`make compose-demo\` builds and names it"
command -v docker >/dev/null || fail "docker is not installed; \`apt-get install docker.io\` brings it"
if docker compose version >/dev/null 2>&1; then
    compose="docker compose"
elif command -v docker-compose >/dev/null; then
    compose=docker-compose
else
    fail "there is neither \`docker compose\` nor docker-compose; \`apt-get install docker-compose\` brings it"
fi
# What DOCKER_HOST names, or the context of this user.
DOCKER_HOST=$(docker context inspect --format '{{.Endpoints.docker.Host}}')
export DOCKER_HOST
docker version >/dev/null 2>&1 ||
    fail "no Docker Engine answers at $DOCKER_HOST; start one, or name another in DOCKER_HOST"
case $DOCKER_HOST in
unix://*) ;;
*) fail "the engine is at $DOCKER_HOST; ministack needs its socket, so DOCKER_HOST must be unix:///PATH" ;;
esac

export TAG="${TAG:-local}"
export ENGINE_SOCKET="${DOCKER_HOST#unix://}"
export COMPOSE_PROJECT_NAME="fargate-demo-$$"
folder=$(mktemp -d)
export REGISTRY_PASSWORD_FILE="$folder/registry-password"
export HISTORY_PASSWORD_FILE="$folder/history-password"
ci_image=""
job_began=""

# What ministack started is not the composition's own, so compose does not know it.
task_containers() {
    docker ps --all --quiet --filter "network=${COMPOSE_PROJECT_NAME}_default" \
        --filter label=com.amazonaws.ecs.task-arn
}

remove_all() {
    limited $compose stop --timeout 10 ministack >/dev/null 2>&1 || true
    tasks=$(task_containers)
    # shellcheck disable=SC2086  # several ids, several words
    [ -z "$tasks" ] || docker rm --force --volumes $tasks >/dev/null || true
    limited $compose down --volumes --remove-orphans --timeout 10 >/dev/null 2>&1 || true
    [ -z "$ci_image" ] || docker image rm "$ci_image" >/dev/null 2>&1 || true
    rm -rf "$folder"
}

what_is_left() {
    mine="label=com.docker.compose.project=$COMPOSE_PROJECT_NAME"
    docker ps --all --quiet --filter "$mine"
    docker network ls --quiet --filter "$mine"
    docker volume ls --quiet --filter "$mine"
    [ -z "$ci_image" ] || docker image ls --quiet "${ci_image%:*}"
}

end() {
    status=$?
    # A second Ctrl-C must not leave half of it behind.
    trap - EXIT
    trap '' HUP INT TERM
    # If the job began, its own log says what is wrong.
    if [ "$status" != 0 ] && [ "$status" != 130 ] && [ -z "$job_began" ]; then
        echo "compose-demo: failed; what the services said last:" >&2
        timeout --foreground 20 $compose logs --no-color --tail 10 2>/dev/null | cut -c 1-300 >&2 || true
    fi
    echo "== taking everything down"
    remove_all
    left=$(what_is_left)
    if [ -n "$left" ]; then
        echo "compose-demo: left behind on the engine:" $left >&2
        exit 1
    fi
    echo "nothing is left but the images"
    exit "$status"
}
trap end EXIT
trap 'exit 130' HUP INT TERM

echo "== building the images"
timeout --foreground "$build_time" images/build.sh "$1" ci manager ministack postgres registry demo-job

echo "== starting ministack and the registry"
# The folder is for its owner alone. The file in it is for everybody, because the user of the registry's
# container has another number.
head -c 24 /dev/urandom | base64 | tr -d '/+=\n' >"$REGISTRY_PASSWORD_FILE"
head -c 24 /dev/urandom | base64 | tr -d '/+=\n' >"$HISTORY_PASSWORD_FILE"
head -c 24 /dev/urandom | base64 | tr -d '/+=\n' >"$folder/serve-token"
chmod 444 "$REGISTRY_PASSWORD_FILE" "$HISTORY_PASSWORD_FILE"
SERVE_TOKEN_SHA256=$(sha256sum <"$folder/serve-token" | cut -d ' ' -f 1)
export SERVE_TOKEN_SHA256
limited $compose up -d ministack registry >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }

healthy() {
    container=$($compose ps -q "$1")
    deadline=$(($(date +%s) + step_time))
    until [ "$(docker inspect --format '{{.State.Health.Status}}' "$container")" = healthy ]; do
        [ "$(docker inspect --format '{{.State.Running}}' "$container")" = true ] || fail "$1 ended"
        [ "$(date +%s)" -lt "$deadline" ] || fail "$1 is not healthy after $step_time s"
        sleep 0.5
    done
}
healthy registry
healthy ministack

registry=$($compose port registry 5000 | sed 's/^0\.0\.0\.0:/127.0.0.1:/')
ci_image="$registry/ci:demo"
echo "== pushing the image of the jobs to $ci_image"
docker tag "fargate-runner/ci:$TAG" "$ci_image"
mkdir "$folder/nobody" "$folder/ci"
if limited docker --config "$folder/nobody" push "$ci_image" >/dev/null 2>&1; then
    fail "the registry took an image from somebody without a login"
fi
echo "without a login the registry takes nothing"
docker --config "$folder/ci" login --username ci --password-stdin "$registry" \
    <"$REGISTRY_PASSWORD_FILE" >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
limited docker --config "$folder/ci" push "$ci_image" >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
# So that the engine has to pull it, with the login of the secret.
docker image rm "$ci_image" >/dev/null

echo "== making the account"
export CI_IMAGE="$ci_image"
limited $compose run --rm -T ${WRONG_LOGIN:+-e REGISTRY_USER=nobody} account 2>"$folder/log" || { cat "$folder/log" >&2; exit 1; }

echo "== starting the database and the page"
limited $compose up -d --no-deps database >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
healthy database
limited $compose up -d --no-deps serve >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
healthy serve
echo "the page is at http://$($compose port serve 9253 | sed 's/^0\.0\.0\.0:/127.0.0.1:/')/"

# What the page answers at a path. The token goes by standard input, so that no command line holds it.
ask_page() {
    limited docker exec --interactive "$($compose ps -q serve)" bash -c '
        exec 3<>/dev/tcp/127.0.0.1/9253
        printf "GET $1 HTTP/1.0\r\nHost: serve\r\nAuthorization: Bearer %s\r\n\r\n" "$(cat)" >&3
        cat <&3' ask "$1" <"$folder/serve-token"
}

echo "== one job"
job_began=yes
job_failed=""
limited $compose run --rm -T --no-deps job 2>"$folder/log" || {
    # Compose says there what it creates, and as its last line the exit code of the job.
    grep -v -e '^Creating ' -e '^ *Container ' -e '^[0-9]*$' "$folder/log" >&2 || true
    job_failed=yes
}

echo "== what the page says of it"
verdict=passed
[ -z "$job_failed" ] || verdict=system_failure
deadline=$(($(date +%s) + step_time))
until ask_page "/api/v1/jobs" >"$folder/page" 2>/dev/null &&
    grep -q "\"state\":\"finished\",\"verdict\":\"$verdict\"" "$folder/page"; do
    [ "$(date +%s)" -lt "$deadline" ] || { tail -n 1 "$folder/page" | cut -c 1-2000 >&2; fail "the page does not know how the job ended"; }
    sleep 0.5
done
echo "the page knows that the job ended: $verdict"
ask_page "/api/v1/now" >"$folder/page"
grep -q '"ecs_silent_ms":null' "$folder/page" || fail "the daemon hears nothing of ECS"
grep -q '"orphans_today":0' "$folder/page" || fail "the daemon took a task of the job for an orphan"
echo "the daemon saw no orphan"
[ -z "$job_failed" ] || exit 1
