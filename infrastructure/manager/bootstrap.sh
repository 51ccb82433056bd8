#!/bin/sh
# Makes a new host (Ubuntu 24.04) a manager host, once. The lines before this one set these variables; they hold
# no secret:
#
#   REGION OUTPUTS_PARAMETER PACKAGE_BUCKET PACKAGE_KEY PACKAGE_SHA256
#   GITLAB_URL RUNNER_TOKEN_PARAMETER CONCURRENT
#
# It is the same text in the template of CloudFormation and in the module of Terraform. Variables have no braces,
# because both would replace them. It may run again: what is done already stays.
# Its log is /var/log/cloud-init-output.log; gitlab-runner and the driver write to the journal.
set -eu
export DEBIAN_FRONTEND=noninteractive HOME=/root

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

retry() {
    for pause in 2 5 10 20 40 0; do
        if "$@"; then return 0; fi
        sleep "$pause"
    done
    echo "bootstrap: gave up after 6 tries: $1" >&2
    return 1
}

# The journal outlives a reboot, and keeps within 1 GiB.
mkdir -p /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=persistent\nSystemMaxUse=1G\n' >/etc/systemd/journald.conf.d/fargate-runner.conf
systemctl restart systemd-journald

# No login by SSH: Session Manager opens shells, and logs who did.
systemctl disable --now ssh.socket ssh.service 2>/dev/null || true

retry apt-get update -qq
retry apt-get install -y -qq --no-install-recommends ca-certificates curl git gnupg
PATH=$PATH:/snap/bin
command -v aws >/dev/null || retry snap install aws-cli --classic

# The driver, checked before it is installed. Its package has the units of systemd.
package=$work/fargate-runner.deb
retry aws s3 cp --region "$REGION" --only-show-errors "s3://$PACKAGE_BUCKET/$PACKAGE_KEY" "$package"
echo "$PACKAGE_SHA256  $package" | sha256sum --check --quiet
chmod 755 "$work"
apt-get install -y -qq "$package"

# The configuration, from what the stack made. A file that is there is somebody's own.
if [ ! -e /etc/fargate-runner/config.toml ]; then
    retry aws ssm get-parameter --region "$REGION" --name "$OUTPUTS_PARAMETER" \
        --query Parameter.Value --output text >"$work/outputs.json"
    fargate-runner config import-stack --outputs "$work/outputs.json"
fi
fargate-runner config check

# GitLab Runner from GitLab's own packages.
if ! command -v gitlab-runner >/dev/null; then
    retry curl -fsSL --max-time 60 -o "$work/gitlab.key" https://packages.gitlab.com/runner/gitlab-runner/gpgkey
    gpg --dearmor --yes -o /usr/share/keyrings/gitlab-runner.gpg "$work/gitlab.key"
    . /etc/os-release
    echo "deb [signed-by=/usr/share/keyrings/gitlab-runner.gpg] https://packages.gitlab.com/runner/gitlab-runner/ubuntu/ $VERSION_CODENAME main" \
        >/etc/apt/sources.list.d/gitlab-runner.list
    retry apt-get update -qq
    retry apt-get install -y -qq --no-install-recommends gitlab-runner
fi

# Registered once. The token is in no argument list: gitlab-runner reads it from its environment.
settings=/etc/gitlab-runner/config.toml
if [ -n "$RUNNER_TOKEN_PARAMETER" ] && ! grep -q '^\[\[runners\]\]' "$settings" 2>/dev/null; then
    install -d -m 700 /etc/gitlab-runner
    (umask 077 && printf 'concurrent = %s\ncheck_interval = 0\n' "$CONCURRENT" >"$settings")
    cat >"$work/runner.toml" <<'TEMPLATE'
[[runners]]
  executor = "custom"
  builds_dir = "/builds"
  cache_dir = "/cache"
  [runners.custom]
    config_exec = "/usr/bin/fargate-runner"
    config_args = ["custom", "config"]
    prepare_exec = "/usr/bin/fargate-runner"
    prepare_args = ["custom", "prepare"]
    run_exec = "/usr/bin/fargate-runner"
    run_args = ["custom", "run"]
    cleanup_exec = "/usr/bin/fargate-runner"
    cleanup_args = ["custom", "cleanup"]
    graceful_kill_timeout = 30
TEMPLATE
    CI_SERVER_TOKEN=$(retry aws ssm get-parameter --region "$REGION" --name "$RUNNER_TOKEN_PARAMETER" \
        --with-decryption --query Parameter.Value --output text)
    export CI_SERVER_TOKEN
    retry gitlab-runner register --non-interactive --url "$GITLAB_URL" --executor custom \
        --template-config "$work/runner.toml"
    unset CI_SERVER_TOKEN
fi

systemctl daemon-reload
systemctl enable --now fargate-runner.service fargate-runner-reap.timer
systemctl restart gitlab-runner
echo "bootstrap: this is a manager host now"
