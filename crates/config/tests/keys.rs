//! Walks every key: what it accepts, and what is said about a value of the wrong kind, below and
//! above its limits, and about a misspelt neighbour.

mod common;

use std::collections::BTreeSet;

use common::ConfigDraft;

/// The top of the file.
const TOP: &[KeyCase] = &[
    ("config_version", "1", "true", &["0", "2", "99999999999999999999"]),
    ("owner", "\"ci/host_1-a\"", "7", &["\"\"", "\"a b\"", "\"ü\"", "\"{x*129}\""]),
    ("state_dir", "\"/srv/state\"", "[]", &["\"\"", "\"state\"", "\"~/state\"", "\"/a\\nb\""]),
    ("log_file", "\"/srv/log\"", "1.5", &["\"\"", "\"log\"", "\"$HOME/log\"", "\"/{x*4096}\""]),
    ("log_level", "\"debug\"", "{}", &["\"\"", "\"loud\"", "\"INFO\"", "\"warning\""]),
    ("log_format", "\"text-simple\"", "1", &["\"\"", "\"xml\"", "\"JSON\"", "\"text_simple\""]),
];

const HISTORY: &[KeyCase] = &[
    ("file", "\"/srv/history.db\"", "1", &["\"\"", "\"history.db\"", "\"~/history.db\""]),
    (
        "url",
        "\"postgresql://ci@db.example.org:5432/ci?sslmode=require\"",
        "[]",
        &["\"\"", "\"postgres://\"", "\"mysql://ci@db/ci\"", "\"postgres://ci:secret@db/ci\""],
    ),
    ("keep_days", "30", "\"30 days\"", &["0", "3651"]),
    ("keep_audit_days", "3650", "1.5", &["0", "3651"]),
];

/// `[defaults]` and `[profile.NAME]`.
const SETTINGS: &[KeyCase] = &[
    ("cluster", "\"ci-1_a\"", "1", &["\"\"", "\"a b\"", "\"{x*256}\"", "\"arn:aws:ecs:eu\""]),
    (
        "region",
        "\"us-gov-east-1\"",
        "1",
        &["\"\"", "\"eu\"", "\"eu-west-1a\"", "\"EU-WEST-1\"", "\"eu-west-123\""],
    ),
    (
        "subnets",
        "[\"subnet-0a1b2c3d\", \"subnet-0a1b2c3d4e5f60718\"]",
        "\"subnet-0a1\"",
        &[
            "[]",
            "[{17 subnets}]",
            "[1]",
            "[\"subnet-xyz\"]",
            "[\"subnet-\"]",
            "[\"sg-0a1\"]",
            "[\"subnet-0a1\", \"subnet-0a1\"]",
            "[\"subnet-0a1b2c3d4e5f607189\"]",
        ],
    ),
    (
        "security_groups",
        "[\"sg-0a1b2c3d\"]",
        "{}",
        &["[]", "[{6 groups}]", "[true]", "[\"SG-0a1\"]", "[\"subnet-0a1\"]"],
    ),
    (
        "task_definition",
        "\"arn:aws:ecs:eu-west-1:123456789012:task-definition/ci:12\"",
        "12",
        &[
            "\"\"",
            "\"ci:\"",
            "\"ci:0\"",
            "\"ci:x\"",
            "\"ci:+1\"",
            "\"ci:99999999999\"",
            "\"a b\"",
            "\"{x*256}\"",
            "\"arn:aws:ecs:cn-north-1:123456789012:task-definition/ci\"",
            "\"arn:aws:ecs:eu-west-1:123456789012:cluster/ci\"",
            "\"arn:aws:ecs:eu-west-1:12345:task-definition/ci\"",
        ],
    ),
    ("container", "\"build_1\"", "[\"job\"]", &["\"\"", "\"a b\"", "\"{x*256}\""]),
    (
        "launch_type",
        "\"CLUSTER\"",
        "false",
        &["\"\"", "\"fargate\"", "\"EC2\"", "\"FARGATE_SPOT\"", "\"cluster\""],
    ),
    (
        "capacity_provider_strategy",
        "[{ provider = \"FARGATE\" }, { provider = \"FARGATE_SPOT\", weight = 3, base = 1 }]",
        "\"FARGATE_SPOT\"",
        &[
            "[]",
            "[{21 items}]",
            "[\"FARGATE\"]",
            "[{ weight = 1 }]",
            "[{ provider = \"FARGATE\", weight = 0 }]",
            "[{ provider = \"FARGATE\" }, { provider = \"FARGATE\" }]",
            "[{ provider = \"FARGATE\", base = 1 }, { provider = \"FARGATE_SPOT\", base = 1 }]",
        ],
    ),
    (
        "capacity_fallback",
        "[\"FARGATE\"]",
        "\"FARGATE\"",
        &["[\"\"]", "[\"EC2\"]", "[1]", "[\"FARGATE\", \"FARGATE\"]"],
    ),
    ("platform_version", "\"1.4.0\"", "1.4", &["\"\"", "\"latest\"", "\"1.4\"", "\"1.4.0.0\""]),
    ("cpu", "4096", "\"1024\"", &["0", "-1", "255", "1000", "65536", "4294967296"]),
    ("memory", "8192", "\"2 GB\"", &["0", "-512", "511", "3000", "31744", "249857"]),
    (
        "task_role",
        "\"ci-task\"",
        "1",
        &["\"\"", "\"a b\"", "\"{x*65}\"", "\"arn:aws:iam::12345:role/ci\"", "\"role/ci\""],
    ),
    ("host_key", "\"first_use\"", "22", &["\"\"", "\"none\"", "\"STS\"", "\"firstuse\""]),
    ("public_ip", "\"assigned\"", "true", &["\"\"", "\"yes\"", "\"Dialled\"", "\"dialed\""]),
    ("enable_execute_command", "true", "\"true\"", &[]),
    (
        "propagate_tags",
        "\"task_definition\"",
        "true",
        &["\"\"", "\"service\"", "\"TASK_DEFINITION\""],
    ),
    ("enable_ecs_managed_tags", "true", "\"true\"", &[]),
    (
        "job_task_definitions",
        "[\"ci-large\", \"ci:7\"]",
        "\"ci-large\"",
        &["[\"\"]", "[1]", "[\"*\"]", "[\"ci\", \"ci\"]", "[{101 families}]"],
    ),
    (
        "projects",
        "[\"group/app\", \"group/*\", \"**\"]",
        "\"group/app\"",
        &["[\"\"]", "[\"app\"]", "[\"/group/app\"]", "[\"group//app\"]", "[\"**/app\"]"],
    ),
    ("refs", "\"protected\"", "true", &["\"\"", "\"main\"", "\"Protected\""]),
    ("on_unsupported", "\"refuse\"", "true", &["\"\"", "\"ignore\""]),
    ("job_max_cpu", "4096", "\"4096\"", &["0", "1000", "65536"]),
    ("job_max_memory", "8192", "\"8192\"", &["0", "1000", "999999"]),
    ("job_max_ephemeral_storage_gib", "100", "\"50\"", &["20", "201"]),
    ("job_spot", "true", "\"yes\"", &[]),
    ("job_max_hold", "\"12h\"", "30", &["\"59s\"", "\"13h\"", "\"1500ms\"", "\"soon\""]),
    (
        "job_platform_versions",
        "[\"1.4.0\", \"LATEST\"]",
        "{}",
        &["[\"\"]", "[1.4]", "[\"1.4\"]", "[\"1.4.0\", \"1.4.0\"]"],
    ),
    (
        "assume_role_arn",
        "\"arn:aws:iam::123456789012:role/ci/runner+x\"",
        "1",
        &[
            "\"\"",
            "\"ci-runner\"",
            "\"arn:aws:iam::123456789012:user/ci\"",
            "\"arn:aws:iam::123456789012:role/\"",
            "\"arn:aws:iam::12345:role/ci\"",
            "\"arn:aws:iam:eu-west-1:123456789012:role/ci\"",
            "\"arn:gcp:iam::123456789012:role/ci\"",
            "\"arn:aws:iam::123456789012:role/a b\"",
            "\"arn:aws:iam::123456789012:role/{x*2048}\"",
        ],
    ),
    ("assume_role_external_id", "\"a:b/c=d\"", "[]", &["\"\"", "\"x\"", "\"a b\"", "\"{x*1225}\""]),
    ("assume_role_session_name", "\"ci@host\"", "7", &["\"\"", "\"x\"", "\"a:b\"", "\"{x*65}\""]),
    (
        "ca_bundle",
        "\"/etc/proxy.pem\"",
        "0",
        &["\"\"", "\"proxy.pem\"", "\"~/p\"", "\"/{x*4096}\""],
    ),
    ("shell", "\"sh\"", "[]", &["\"\"", "\"zsh\"", "\"/bin/bash\"", "\"BASH\""]),
    ("builds_dir", "\"/builds\"", "0", &["\"\"", "\"builds\"", "\"/a\\tb\""]),
    ("cache_dir", "\"/cache\"", "0", &["\"\"", "\"~\"", "\"/{x*4096}\""]),
];

const SSH: &[KeyCase] = &[
    ("user", "\"ci.runner-1\"", "0", &["\"\"", "\"1a\"", "\"-a\"", "\"a b\"", "\"{x*33}\""]),
    ("port", "2222", "\"22\"", &["0", "-1", "65536", "0x10000", "99999999999999999999"]),
    ("client_key", "\"rsa\"", "3072", &["\"\"", "\"RSA\"", "\"dsa\"", "\"ed448\""]),
    ("keepalive_tries", "100", "\"3\"", &["0", "101", "-1"]),
    ("rekey_after_mib", "1", "\"1GiB\"", &["0", "1025", "-1"]),
];

const STRATEGY_ITEM: &[KeyCase] = &[
    ("provider", "\"FARGATE\"", "1", &["\"\"", "\"fargate\"", "\"my-instances\""]),
    ("weight", "1000", "\"1\"", &["-1", "1001"]),
    ("base", "100000", "1.5", &["-1", "100001"]),
];

const TIMEOUTS: &[KeyCase] = &[
    ("prepare", "\"20m\"", "900", &["\"0s\"", "\"9ms\"", "\"7h\"", "\"soon\"", "\"\"", "\"15\""]),
    ("task_start", "\"5m\"", "600", &["\"9ms\"", "\"6h 1ns\""]),
    ("agent_start", "\"5m\"", "600", &["\"9ms\"", "\"6h 1ns\""]),
    ("capacity_window", "\"1day\"", "600", &["\"999ms\"", "\"24h 1s\""]),
    ("capacity_pause", "\"1s\"", "900", &["\"0s\"", "\"24h 1s\""]),
    ("connect_attempt", "\"500ms\"", "1", &["\"999us\"", "\"61s\""]),
    ("connect_retry_pause", "\"1ms\"", "{}", &["\"0s\"", "\"61s\""]),
    ("ssh_handshake", "\"5s\"", "[]", &["\"9ms\"", "\"5m 1s\""]),
    ("ssh_authentication", "\"5s\"", "[]", &["\"9ms\"", "\"5m 1s\""]),
    ("session_open", "\"5s\"", "1.5", &["\"9ms\"", "\"5m 1s\""]),
    ("send_stall", "\"5s\"", "1.5", &["\"9ms\"", "\"5m 1s\""]),
    ("keepalive_interval", "\"5s\"", "true", &["\"9ms\"", "\"5m 1s\""]),
    ("aws_connect", "\"1s\"", "3", &["\"9ms\"", "\"61s\""]),
    ("aws_attempt", "\"5s\"", "3", &["\"9ms\"", "\"5m 1s\""]),
    ("aws_call", "\"15m\"", "3", &["\"9ms\"", "\"15m 1s\""]),
    ("ecs_poll_min", "\"1ms\"", "3", &["\"999us\"", "\"61s\""]),
    ("ecs_poll_max", "\"5m\"", "3", &["\"999us\"", "\"5m 1s\""]),
    ("task_stop", "\"5m\"", "3", &["\"9ms\"", "\"5m 1s\""]),
    ("cleanup", "\"1h\"", "3", &["\"9ms\"", "\"1h 1s\""]),
    ("cancel_grace", "\"10m\"", "3", &["\"999us\"", "\"10m 1s\""]),
    ("cancel_return", "\"1m\"", "3", &["\"999us\"", "\"1m 1s\""]),
    ("next_stage_grace", "\"10m\"", "3", &["\"999us\"", "\"10m 1s\""]),
    ("reconnect", "\"1h\"", "3", &["\"999us\"", "\"1h 1s\""]),
    ("client_gone", "\"1h\"", "3", &["\"999ms\"", "\"1h 1s\"", "\"1s 500ms\""]),
    ("task_idle", "\"1day\"", "3", &["\"999ms\"", "\"24h 1s\"", "\"1s 1ns\""]),
    ("exec_task_idle", "\"1day\"", "3", &["\"999ms\"", "\"24h 1s\"", "\"1s 1ns\""]),
    ("lifetime_margin", "\"1s\"", "3", &["\"0s\"", "\"24h 1s\"", "\"1s 1ns\""]),
    ("default_job_timeout", "\"30days\"", "3", &["\"0s\"", "\"31days\"", "\"1s 1ns\""]),
    ("pending_notice", "\"6h\"", "90", &["\"9ms\"", "\"7h\""]),
    ("progress_interval", "\"1h\"", "15", &["\"9ms\"", "\"2h\""]),
    ("stop_reason", "\"1h\"", "2", &["\"9ms\"", "\"2h\""]),
    ("task_visibility", "\"1h\"", "60", &["\"9ms\"", "\"2h\""]),
    ("state_lock", "\"10m\"", "10", &["\"9ms\"", "\"11m\""]),
    ("tombstone_retention", "\"1s\"", "24", &["\"999ms\"", "\"31days\""]),
    ("paused_host", "\"1day\"", "15", &["\"9ms\"", "\"24h 1s\""]),
    ("definition_retention", "\"7days\"", "30", &["\"59m\"", "\"366days\""]),
    ("orphan_recheck", "\"1h\"", "10", &["\"9ms\"", "\"2h\""]),
    ("registry_retry_pause", "\"5m\"", "30", &["\"9ms\"", "\"6m\""]),
];

const LIMITS: &[KeyCase] = &[
    ("ecs_reads_per_second", "1000", "\"20\"", &["0", "1001", "-1"]),
    ("task_relaunches", "0", "\"3\"", &["-1", "21"]),
    ("capacity_failures", "0", "\"3\"", &["-1", "101"]),
];

/// `[defaults]` and `[profile.NAME]` with an image.
const DERIVED: &[KeyCase] = &[
    (
        "image",
        "\"registry.example.com:5000/team/ci@sha256:0a1b\"",
        "1",
        &["\"\"", "\"my image\"", "\"ü\"", "\"a\\nb\"", "\"{x*256}\""],
    ),
    (
        "registry_secret",
        "\"arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/registry-a1B2c3\"",
        "1",
        &["\"\"", "\"a b\"", "\"{x*513}\"", "\"arn:aws:ssm:eu-west-1:123456789012:parameter/x\""],
    ),
    ("pin_image", "false", "\"no\"", &[]),
    (
        "insecure_registries",
        "[\"registry.internal:5000\", \"[fd00::1]:5000\", \"10.0.0.1\"]",
        "\"registry.internal\"",
        &["[\"\"]", "[\"http://a\"]", "[\"a:0\"]", "[\"a:x\"]", "[\"a b\"]"],
    ),
    (
        "execution_role",
        "\"arn:aws:iam::123456789012:role/ci/execution\"",
        "[]",
        &["\"\"", "\"a b\"", "\"{x*65}\"", "\"arn:aws:iam::12345:role/ci\""],
    ),
    ("architecture", "\"arm64\"", "64", &["\"\"", "\"ARM64\"", "\"amd64\""]),
    ("ephemeral_storage_gib", "200", "\"50\"", &["0", "20", "201", "-1"]),
    ("log_group", "\"/ci/tasks#1\"", "1", &["\"\"", "\"a b\"", "\"{x*513}\""]),
    ("volumes", "[]", "\"cache\"", &["[\"\"]", "[\"a b\"]", "[\"{x*33}\"]"]),
    (
        "secrets",
        "[{ name = \"_A\", from = \"/ci/npm\" }, { name = \"B\", from = \"arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/a:key::\", as_file = true }]",
        "\"NPM_TOKEN\"",
        &[
            "[{ name = \"NPM_TOKEN\" }]",
            "[{ name = \"A\", from = \"x\" }, { name = \"A\", from = \"y\" }]",
        ],
    ),
    (
        "tmpfs",
        "[{ path = \"/scratch\", size_mib = 512 }]",
        "512",
        &[
            "[{ path = \"/a\" }]",
            "[{ path = \"/a\", size_mib = 1 }, { path = \"/a\", size_mib = 2 }]",
        ],
    ),
    ("task_definition_template", "\"/etc/ci.json\"", "1", &["\"\"", "\"ci.json\"", "\"CI\""]),
    ("task_definition_family", "\"ci-1_a\"", "1", &["\"\"", "\"ci:7\"", "\"{x*256}\""]),
];

/// `[volume.NAME]`.
const VOLUME: &[KeyCase] = &[
    ("file_system", "\"fs-0a1b2c3d4e5f60718\"", "1", &["\"\"", "\"fs-\"", "\"efs-0a1\""]),
    ("path", "\"/mnt/shared\"", "1", &["\"\"", "\"mnt\"", "\"/\"", "\"/a/../b\"", "\"/a:b\""]),
    ("access_point", "\"none\"", "1", &["\"\"", "\"fs-0a1b2c3d\"", "\"None\""]),
    ("separation", "\"project\"", "true", &["\"\"", "\"Project\"", "\"job\""]),
    ("read_only", "true", "\"yes\"", &[]),
    ("iam", "false", "1", &[]),
    ("transit_encryption", "true", "1", &[]),
    ("folder", "\"/ci\"", "1", &["\"\"", "\"ci\"", "\"/\"", "\"/a/b\"", "\"/..\"", "\"/{x*31}\""]),
    ("uid", "4294967295", "\"0\"", &["-1", "4294967296"]),
    ("gid", "0", "\"0\"", &["-1", "4294967296"]),
    ("mode", "\"2770\"", "750", &["\"\"", "\"0o7\"", "\"08\"", "\"rwx\"", "\"00750\""]),
    (
        "principals",
        "[\"arn:aws:iam::123456789012:role/build\"]",
        "\"arn\"",
        &["[\"\"]", "[\"build\"]", "[\"arn:aws:iam::123456789012:user/x\"]"],
    ),
    ("mount_target_security_groups", "[\"sg-0a1\"]", "\"sg-0a1\"", &["[{6 groups}]", "[\"x\"]"]),
];

/// `[image.NAME]`.
const IMAGE: &[KeyCase] = &[
    (
        "repository",
        "\"localhost:5000/team/ci\"",
        "1",
        &["\"\"", "\"ci\"", "\"a/ci:1\"", "\"a/ci@sha256:1\"", "\"a/\"", "\"a/CI\""],
    ),
    ("context", "\"/srv/ci\"", "1", &["\"\"", "\"ci\""]),
    ("dockerfile", "\"a/Dockerfile\"", "1", &["\"\"", "\"/Dockerfile\"", "\"../Dockerfile\""]),
    ("manifest", "\"/srv/images.json\"", "1", &["\"\"", "\"images.json\""]),
    ("registry_secret", "\"ci/registry\"", "1", &["\"\"", "\"a b\""]),
    ("insecure_registries", "[\"10.0.0.1:5000\"]", "\"a\"", &["[\"http://a\"]"]),
    ("allow_public", "true", "\"yes\"", &[]),
    ("replicas", "[\"a.example/ci\"]", "\"a.example/ci\"", &["[\"\"]", "[\"ci:1\"]"]),
    (
        "replica_secrets",
        "[\"a.example:5000=ci/registry\"]",
        "\"a.example\"",
        &["[\"a.example\"]", "[\"a.example=\"]", "[\"https://a.example=ci\"]"],
    ),
    ("architecture", "\"arm64\"", "64", &["\"amd64\""]),
    ("build_args", "[\"A=\", \"B=c=d\"]", "\"A=b\"", &["[\"A\"]", "[\"=a\"]", "[\"A-B=c\"]"]),
    ("build_secrets", "[\"npm=/run/npm\"]", "\"npm\"", &["[\"npm\"]", "[\"npm=run\"]"]),
    ("build_network", "\"host\"", "true", &["\"\"", "\"bridge\""]),
    ("compression", "\"gzip\"", "1", &["\"\"", "\"xz\""]),
    ("compression_level", "19", "\"3\"", &["0", "20"]),
    ("reproducible", "\"full\"", "true", &["\"\"", "\"none\""]),
    ("squash", "\"own\"", "true", &["\"\"", "\"all\""]),
    ("cache_mib", "1024", "\"16\"", &["0", "1025"]),
    ("waivers", "\"/srv/waivers.toml\"", "1", &["\"\"", "\"waivers.toml\""]),
    ("profile", "\"big\"", "1", &["\"\"", "\"a b\""]),
    ("soak", "\"2days\"", "2", &["\"2 years\""]),
    ("stale_after", "\"10days\"", "10", &["\"1h\"", "\"2years\""]),
    ("unneeded_after", "\"10days\"", "10", &["\"1h\""]),
    ("deprecate_after", "\"90days\"", "90", &["\"1h\""]),
    ("max_vulnerability", "\"none\"", "1", &["\"\"", "\"grave\""]),
    (
        "signing_key",
        "\"arn:aws:kms:eu-west-1:123456789012:key/0a\"",
        "1",
        &["\"\"", "\"key.pem\"", "\"arn:aws:s3:::x\""],
    ),
];

/// `[serve]`.
const SERVE: &[KeyCase] = &[
    ("listen", "\"[::1]:0\"", "9253", &["\"\"", "\"localhost:80\"", "\"127.0.0.1\""]),
    ("allowed_hosts", "[\"ci.example.org\"]", "\"a\"", &["[\"\"]", "[\"http://a\"]"]),
    ("allowed_origins", "[\"https://a.b\"]", "\"a\"", &["[\"a.b\"]", "[\"https://a/b\"]"]),
    ("local_access", "\"nobody\"", "true", &["\"\"", "\"admin\""]),
    ("public_view", "true", "\"yes\"", &[]),
    ("public_projects", "[\"acme/*\"]", "\"a/b\"", &["[\"\"]"]),
    ("tokens", "[]", "\"a\"", &["[{ name = \"a\" }]"]),
    ("proxy_addresses", "[\"10.0.0.0/8\"]", "\"10.0.0.1\"", &["[\"10.0.0.0/33\"]", "[\"a\"]"]),
    ("proxy_user_header", "\"x-user\"", "1", &["\"\"", "\"a b\""]),
    ("proxy_operators", "[\"anna@example.org\"]", "\"anna\"", &[]),
    ("vcpu_quota", "64", "\"64\"", &["0", "1000001"]),
    ("spot_vcpu_quota", "64", "\"64\"", &["0", "1000001"]),
    ("gitlab_runner_metrics", "\"http://[::1]:9252/metrics\"", "9252", &["\"\"", "\"ftp://a\""]),
    ("runbook_url", "\"https://a.b/{cause}\"", "true", &["\"\"", "\"https://a.b/\""]),
    ("job_slots", "30", "\"30\"", &["0", "100001"]),
    ("max_connections", "100", "\"100\"", &["15", "65537"]),
    ("max_streams", "100", "\"100\"", &["0", "65537"]),
];

/// `[prices]`.
const PRICES: &[KeyCase] = &[
    ("date", "\"2026-11-29\"", "2026", &["\"\"", "\"2026\"", "\"2026-13-01\""]),
    ("region", "\"eu-west-1\"", "1", &["\"\"", "\"eu\""]),
    ("x86_vcpu_hour", "\"0.04\"", "0.04", &["\"\"", "\"free\"", "\"-1\""]),
    ("x86_gb_hour", "\"0.04\"", "0.04", &["\"\"", "\"free\""]),
    ("arm_vcpu_hour", "\"0.04\"", "0.04", &["\"\"", "\"free\""]),
    ("arm_gb_hour", "\"0.04\"", "0.04", &["\"\"", "\"free\""]),
    ("x86_spot_vcpu_hour", "\"0.04\"", "0.04", &["\"\"", "\"free\""]),
    ("x86_spot_gb_hour", "\"0.04\"", "0.04", &["\"\"", "\"free\""]),
    ("arm_spot_vcpu_hour", "\"0.04\"", "0.04", &["\"\"", "\"free\""]),
    ("arm_spot_gb_hour", "\"0.04\"", "0.04", &["\"\"", "\"free\""]),
    ("disk_gb_hour", "\"0.04\"", "0.04", &["\"\"", "\"free\""]),
    ("image_through_nat", "true", "\"yes\"", &[]),
    ("nat_per_gb", "\"0.04\"", "0.04", &["\"\"", "\"free\""]),
];

/// `[notify]`.
const NOTIFY: &[KeyCase] = &[
    ("webhook_url_file", "\"/etc/url\"", "1", &["\"\"", "\"url\""]),
    ("webhook_url_variable", "\"URL\"", "1", &["\"\"", "\"https://a.b/c\""]),
    ("webhook_key_file", "\"/etc/key\"", "1", &["\"\"", "\"key\""]),
    ("webhook_key_variable", "\"KEY\"", "1", &["\"\"", "\"a-b\""]),
    ("sns_topic", "\"arn:aws:sns:eu-west-1:123456789012:ci\"", "1", &["\"\"", "\"ci\""]),
    ("about", "[\"orphans\"]", "\"orphans\"", &["[\"\"]", "[\"orphan\"]"]),
    ("after_jobs", "1", "\"1\"", &["0", "1001"]),
    ("quiet_after", "\"5m\"", "5", &["\"59s\"", "\"25h\""]),
    ("paused_after", "\"5m\"", "5", &["\"59s\"", "\"25h\""]),
    ("messages_per_hour", "5", "\"5\"", &["0", "1001"]),
    ("project_names", "true", "\"yes\"", &[]),
    ("page_url", "\"https://ci.example.org\"", "1", &["\"\"", "\"ci.example.org\""]),
];

/// A key, a value that it takes, a value of another kind, and values that it refuses. `{x*N}` stands
/// for N letters.
type KeyCase = (&'static str, &'static str, &'static str, &'static [&'static str]);

/// Every table of keys with the places it may stand in.
const TABLES: &[(&[KeyCase], &[&str])] = &[
    (TOP, &[""]),
    (HISTORY, &["history"]),
    (SETTINGS, &["defaults", "profile.big"]),
    (DERIVED, &["defaults", "profile.big"]),
    (SSH, &["defaults.ssh", "profile.big.ssh"]),
    (TIMEOUTS, &["defaults.timeouts", "profile.big.timeouts"]),
    (VOLUME, &["volume.shared"]),
    (IMAGE, &["image.node"]),
    (SERVE, &["serve"]),
    (PRICES, &["prices"]),
    (NOTIFY, &["notify"]),
    (LIMITS, &["defaults.limits", "profile.big.limits"]),
];

fn expand(value: &str) -> String {
    let list = |n: u32, make: fn(u32) -> String| (1..=n).map(make).collect::<Vec<_>>().join(", ");
    if let Some((before, rest)) = value.split_once("{x*") {
        let (count, after) = rest.split_once('}').expect("{x*N} is closed");
        return format!("{before}{}{after}", "x".repeat(count.parse().expect("a count")));
    }
    value
        .replace("{17 subnets}", &list(17, |n| format!("\"subnet-{n:x}\"")))
        .replace("{101 families}", &list(101, |n| format!("\"ci-{n}\"")))
        .replace("{6 groups}", &list(6, |n| format!("\"sg-{n:x}\"")))
        .replace("{21 items}", &list(21, |_| "{ provider = \"FARGATE\" }".to_owned()))
}

fn dotted(table: &str, key: &str) -> String {
    if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }
}

/// The least file in which `key` may stand in `table`, without it.
fn least_with(table: &str, key: &str) -> ConfigDraft {
    let required: &[(&str, &str)] = match table {
        "volume.shared" => &[("file_system", "\"fs-0\""), ("path", "\"/shared\"")],
        "image.node" => &[
            ("repository", "\"a/ci\""),
            ("context", "\"/ci\""),
            ("manifest", "\"/ci.json\""),
            ("replicas", "[\"a.example:5000/ci\"]"),
        ],
        _ => &[],
    };
    let others = required.iter().filter(|(name, _)| *name != key);
    others.fold(ConfigDraft::least(), |draft, (name, value)| draft.set(table, name, value))
}

/// The draft must have exactly one problem: `dotted`, on its line, as `key K {rest}`.
fn refused(draft: &ConfigDraft, key: &str, dotted: &str) -> String {
    let problems = draft.read().expect_err(&draft.text()).problems;
    assert_eq!(problems.len(), 1, "{}\n{problems:#?}", draft.text());
    let problem = &problems[0];
    assert_eq!(problem.key.as_deref(), Some(dotted), "{problem}");
    assert_eq!(problem.line, Some(draft.line_of(key)), "{problem}");
    let start = format!("key `{dotted}` ");
    assert!(problem.message.starts_with(&start), "{problem}");
    assert!(!problem.message.contains('\n') && problem.message.len() < 400, "{problem}");
    problem.message[start.len()..].to_owned()
}

/// Whether a refusal says what would be right.
fn says_what_is_allowed(rest: &str) -> bool {
    let words =
        ["allowed", "expected", "reads 1", "twice", "ECS takes one", "no task", "without `"];
    words.iter().any(|word| rest.contains(word))
}

#[test]
fn every_key_takes_its_values_and_explains_what_it_refuses() {
    for (rows, tables) in TABLES {
        for (table, (key, valid, wrong_kind, refused_values)) in
            tables.iter().flat_map(|table| rows.iter().map(move |row| (*table, *row)))
        {
            let dotted = dotted(table, key);
            // The same key one table up must not hide or repeat what is said.
            let with = |value: &str| {
                let draft = least_with(table, key);
                let draft = if table.starts_with("profile") {
                    draft.without("defaults", key).set("profile.big", "container", "\"big\"")
                } else {
                    draft
                };
                let role = "\"arn:aws:iam::123456789012:role/ci\"";
                let draft = match key.strip_prefix("assume_role_") {
                    Some("external_id" | "session_name") => {
                        draft.set(table, "assume_role_arn", role)
                    }
                    _ => draft,
                };
                // The keys that belong to an image need one.
                let draft = match table != "image.node"
                    && DERIVED.iter().any(|(derived, ..)| *derived == key)
                {
                    false => draft,
                    true => {
                        draft.without("defaults", "task_definition").set(table, "image", "\"ci\"")
                    }
                };
                draft.set(table, key, &expand(value))
            };
            with(valid).read().unwrap_or_else(|problems| panic!("{dotted} = {valid}: {problems}"));
            let rest = refused(&with(wrong_kind), key, &dotted);
            assert!(rest.starts_with("is ") && rest.contains(" is expected"), "{dotted} {rest}");
            for value in refused_values {
                let rest = refused(&with(value), key, &dotted);
                assert!(says_what_is_allowed(&rest), "{dotted} {rest}");
            }
        }
    }
}

#[test]
fn every_key_of_a_strategy_explains_what_it_refuses() {
    let name = "capacity_provider_strategy";
    for (key, valid, wrong_kind, refused_values) in STRATEGY_ITEM {
        let with = |value: &str| {
            let provider = if *key == "provider" { "" } else { "provider = \"FARGATE_SPOT\", " };
            let item = format!("[{{ {provider}{key} = {value} }}]");
            ConfigDraft::least().set("defaults", name, &item)
        };
        let dotted = format!("defaults.{name}.{key}");
        with(valid).read().unwrap_or_else(|problems| panic!("{dotted} = {valid}: {problems}"));
        for value in std::iter::once(wrong_kind).chain(*refused_values) {
            let rest = refused(&with(value), name, &dotted);
            assert!(says_what_is_allowed(&rest), "{dotted} {rest}");
        }
    }
}

#[test]
fn a_misspelt_neighbour_of_every_key_is_told_the_right_name() {
    for (rows, tables) in TABLES {
        for (table, (key, value, ..)) in
            tables.iter().flat_map(|table| rows.iter().map(move |row| (*table, *row)))
        {
            let camel: String = key.split('_').map(capital).collect();
            for misspelt in [format!("{key}x"), key.replace('_', "-") + "-", camel] {
                let draft = least_with(table, key).set(table, &misspelt, value);
                let rest = refused(&draft, &misspelt, &dotted(table, &misspelt));
                assert_eq!(rest, format!("is not known here, nearest is `{key}`"));
            }
        }
    }
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}

#[test]
fn the_rows_above_are_every_key_of_the_reference() {
    let settings = fargate_config::REFERENCE.lines().filter_map(|line| {
        let line = line.strip_prefix('#').unwrap_or(line);
        let (key, _) = line.split_once(" = ")?;
        key.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            .then_some(key)
    });
    let documented: BTreeSet<&str> = settings.filter(|key| *key != "team").collect();
    let rows = TABLES.iter().flat_map(|(rows, _)| rows.iter());
    let walked: BTreeSet<&str> = rows.map(|(key, ..)| *key).collect();
    assert_eq!(documented, walked);
}

#[test]
fn a_number_may_be_written_in_another_base() {
    let draft =
        ConfigDraft::least().set("defaults.ssh", "port", "0x8ae").set("defaults", "cpu", "1_024");
    let profile = draft.read().unwrap().config.profile(None).unwrap();
    assert_eq!((profile.ssh.port, profile.cpu_units), (2222, Some(1024)));
}

#[test]
fn tags_are_checked_by_name_value_and_number() {
    let longest = "k".repeat(128);
    let fine =
        [("team", "build"), ("\"cost centre\"", "42 + ü"), ("\"a/b:c=d@e\"", ""), (&longest, "v")];
    let mut draft = ConfigDraft::least();
    for (name, value) in fine {
        draft = draft.set("defaults.tags", name, &format!("\"{value}\""));
    }
    assert_eq!(draft.read().unwrap().config.profile(None).unwrap().tags.len(), 4);

    let too_long = "v".repeat(257);
    let refused_tags = [
        ("\"aws:team\"", "x"),
        ("\"AWS:team\"", "x"),
        ("\"fargate-runner:owner\"", "x"),
        ("\"\"", "x"),
        ("\"a\\tb\"", "x"),
        ("\"a*\"", "x"),
        (&"k".repeat(129), "x"),
        ("team", &too_long),
        ("team", "a;b"),
    ];
    for (name, value) in refused_tags {
        let draft = ConfigDraft::least().set("defaults.tags", name, &format!("\"{value}\""));
        let problems = draft.read().expect_err(name);
        assert_eq!(problems.problems.len(), 1, "{problems}");
        assert!(problems.problems[0].key.as_ref().unwrap().starts_with("defaults.tags."));
        assert!(problems.to_string().lines().count() <= 2, "{problems}");
    }
    let number = ConfigDraft::least().set("defaults.tags", "team", "7");
    assert_eq!(
        refused(&number, "team", "defaults.tags.team"),
        "is a whole number, a string is expected"
    );
}

#[test]
fn tags_of_a_profile_count_together_with_those_it_inherits() {
    let tagged = |defaults: u32, profile: u32| {
        let mut draft = ConfigDraft::least();
        for n in 0..defaults {
            draft = draft.set("defaults.tags", &format!("a{n}"), "\"x\"");
        }
        for n in 0..profile {
            draft = draft.set("profile.big.tags", &format!("b{n}"), "\"x\"");
        }
        draft
    };
    let profile = tagged(20, 20).read().unwrap().config.profile(Some("big")).unwrap();
    assert_eq!(profile.tags.len(), 40);
    let problems = tagged(20, 21).read().unwrap_err().problems;
    assert_eq!(problems.len(), 1);
    assert_eq!(
        problems[0].message,
        "key `profile.big.tags` has 41 tags with those it inherits, at most 40 are allowed"
    );
}
