//! Tokens whose prefix says whose they are. They are looked for in every file, binary files included.
//!
//! Sources: what the providers document of their tokens, and the rules of gitleaks (MIT, see `NOTICE`), against
//! which this list was checked. A rule is here only if it found nothing in a clean Debian with compilers and
//! Node; so rules for bare hexadecimal digits, or for words such as `key`, are not.

use super::secret_rule::SecretRule;

/// All of them.
pub(super) const TOKEN_RULES: &[SecretRule] = &[
    // Clouds.
    SecretRule::token(
        "aws-access-key",
        &["AKIA ", "ASIA ", "ABIA ", "ACCA "],
        r"([A-Z]{4}[A-Z2-7]{16})(?:[^A-Za-z0-9]|\z)",
    ),
    SecretRule::token(
        "google-api-key",
        &["AIza "],
        r"(AIza[0-9A-Za-z_-]{35})(?:[^0-9A-Za-z_-]|\z)",
    ),
    SecretRule::token("google-oauth-secret", &["GOCSPX- "], r"GOCSPX-[0-9A-Za-z_-]{28}"),
    SecretRule::token(
        "alibaba-access-key",
        &["LTAI "],
        r"(LTAI[0-9A-Za-z]{20})(?:[^0-9A-Za-z]|\z)",
    ),
    SecretRule::token(
        "digitalocean-token",
        &["dop_v1_ ", "doo_v1_ ", "dor_v1_ "],
        r"do[por]_v1_[0-9a-f]{64}",
    ),
    SecretRule::token(
        "databricks-token",
        &["dapi "],
        r"(dapi[0-9a-f]{32}(?:-[0-9])?)(?:[^0-9A-Za-z]|\z)",
    ),
    SecretRule::token(
        "fly-token",
        &["fo1_ ", "fm1a_ ", "fm1r_ ", "fm2_ "],
        r"fo1_[\w-]{43}|fm(?:1[ar]|2)_[0-9A-Za-z+/]{100,}",
    ),
    SecretRule::token("heroku-key", &["HRKU-AA "], r"HRKU-AA[0-9A-Za-z_-]{58}"),
    SecretRule::token("scalingo-token", &["tk-us- "], r"(tk-us-[\w-]{48})(?:[^\w-]|\z)"),
    SecretRule::token(
        "planetscale-token",
        &["pscale_tkn_ ", "pscale_oauth_ ", "pscale_pw_ "],
        r"pscale_(?:tkn|oauth|pw)_[\w=.-]{32,64}",
    ),
    SecretRule::token("cloudflare-origin-key", &["v1.0- "], r"v1\.0-[0-9a-f]{24}-[0-9a-f]{146}"),
    SecretRule::token("openshift-token", &["sha256~ "], r"(sha256~[\w-]{43})(?:[^\w-]|\z)"),
    SecretRule::token("azure-storage-key", &["AccountKey= "], r"AccountKey=([0-9A-Za-z+/]{86}==)"),
    // Forges and CI.
    SecretRule::token(
        "github-token",
        &["ghp_ ", "gho_ ", "ghu_ ", "ghs_ ", "ghr_ "],
        r"gh[pousr]_[0-9A-Za-z]{36,251}",
    ),
    SecretRule::token("github-fine-grained-token", &["github_pat_ "], r"github_pat_\w{82}"),
    SecretRule::token(
        "gitlab-token",
        &["glpat- "],
        r"glpat-[\w-]{20,300}(?:\.[0-9a-z]{2}\.[0-9a-z]{7,9}|\.[0-9a-z]{9})?",
    ),
    SecretRule::token("gitlab-trigger-token", &["glptt- "], r"glptt-[0-9A-Za-z_-]{20,}"),
    SecretRule::token(
        "gitlab-runner-token",
        &["glrt- ", "glrtr- "],
        r"glrtr?-[\w-]{20,300}(?:\.[0-9a-z]{2}\.[0-9a-z]{7,9}|\.[0-9a-z]{9})?",
    ),
    SecretRule::token("gitlab-registration-token", &["GR1348941 "], r"GR1348941[\w-]{20}"),
    SecretRule::token("gitlab-job-token", &["glcbt- "], r"glcbt-(?:[0-9A-Za-z]{1,5}_)?[\w-]{20,}"),
    SecretRule::token("gitlab-deploy-token", &["gldt- "], r"gldt-[\w-]{20,}"),
    SecretRule::token("gitlab-agent-token", &["glagent- "], r"glagent-[\w-]{50,}"),
    SecretRule::token("gitlab-oauth-secret", &["gloas- "], r"gloas-[\w-]{64}"),
    SecretRule::token("gitlab-scim-token", &["glsoat- "], r"glsoat-[\w-]{20,}"),
    SecretRule::token("gitlab-feed-token", &["glft- ", "glffct- "], r"glff?c?t-[\w-]{20,}"),
    SecretRule::token("gitlab-mail-token", &["glimt- "], r"glimt-[\w-]{25,}"),
    SecretRule::token(
        "bitbucket-app-password",
        &["ATBB "],
        r"(ATBB[0-9A-Za-z]{28}[0-9A-F]{4})(?:[^0-9A-Za-z]|\z)",
    ),
    SecretRule::token("atlassian-token", &["ATATT3 "], r"ATATT3[\w=-]{150,200}"),
    SecretRule::token(
        "docker-hub-token",
        &["dckr_pat_ ", "dckr_oat_ "],
        r"dckr_[po]at_[\w-]{27,32}",
    ),
    SecretRule::token("buildkite-token", &["bkua_ "], r"bkua_[0-9a-f]{40}"),
    SecretRule::token("circleci-token", &["CCIPAT_ "], r"CCIPAT_[0-9A-Za-z]{22}_[0-9a-f]{40}"),
    SecretRule::token(
        "sonar-token",
        &["sqp_ ", "squ_ ", "sqa_ "],
        r"(sq[pua]_[0-9a-f]{40})(?:[^0-9A-Za-z]|\z)",
    ),
    // Package registries.
    SecretRule::token("npm-token", &["npm_ "], r"(npm_[0-9A-Za-z]{36})(?:[^0-9A-Za-z_]|\z)"),
    SecretRule::token("pypi-token", &["pypi-AgE "], r"pypi-AgE[\w-]{50,}"),
    SecretRule::token("rubygems-token", &["rubygems_ "], r"rubygems_[0-9a-f]{48}"),
    SecretRule::token("clojars-token", &["CLOJARS_ "], r"CLOJARS_[0-9a-z]{60}"),
    SecretRule::token("crates-io-token", &["cio "], r"(cio[0-9A-Za-z]{32})(?:[^0-9A-Za-z]|\z)"),
    SecretRule::token("artifactory-key", &["AKCp "], r"(AKCp[0-9A-Za-z]{69})(?:[^0-9A-Za-z]|\z)"),
    SecretRule::token(
        "artifactory-reference-token",
        &["cmVmd "],
        r"(cmVmdGtuO[0-9A-Za-z]{55})(?:[^0-9A-Za-z]|\z)",
    ),
    SecretRule::token("nuget-key", &["oy2 "], r"(oy2[a-p2-7][0-9a-z]{42})(?:[^0-9A-Za-z]|\z)"),
    // Secrets and infrastructure.
    // 24 letters and digits, or a longer one of 90 or more (source: gitleaks). Words that stand side by side in a
    // program have other lengths.
    SecretRule::token(
        "vault-token",
        &["hvs. ", "hvb. ", "hvr. "],
        r"hv[sbr]\.(?:[\w-]{90,300}|[0-9A-Za-z]{24}\b)",
    ),
    SecretRule::token("terraform-token", &[".atlasv1. "], r"\.atlasv1\.[\w=-]{60,70}"),
    SecretRule::token("age-key", &["AGE-SECRET-KEY-1 "], r"AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}"),
    SecretRule::token(
        "doppler-token",
        &["dp.pt. ", "dp.st. ", "dp.ct. "],
        r"dp\.(?:pt|st|ct)\.(?:[\w-]{2,35}\.)?[0-9A-Za-z]{40,44}",
    ),
    SecretRule::token("one-password-token", &["ops_eyJ "], r"ops_eyJ[0-9A-Za-z+/]{250,}={0,3}"),
    SecretRule::token(
        "one-password-key",
        &["A3- "],
        r"A3-[0-9A-Z]{6}-(?:[0-9A-Z]{11}|[0-9A-Z]{6}-[0-9A-Z]{5})(?:-[0-9A-Z]{5}){3}",
    ),
    SecretRule::token("pulumi-token", &["pul- "], r"(pul-[0-9a-f]{40})(?:[^0-9A-Za-z]|\z)"),
    SecretRule::token("infracost-token", &["ico- "], r"(ico-[0-9A-Za-z]{32})(?:[^0-9A-Za-z]|\z)"),
    SecretRule::token(
        "harness-token",
        &["pat. ", "sat. "],
        r"[ps]at\.[\w-]{22}\.[0-9A-Za-z]{24}\.[0-9A-Za-z]{20}",
    ),
    SecretRule::token(
        "tailscale-key",
        &["tskey- "],
        r"tskey-(?:auth|api|client|scim|webhook)-[0-9A-Za-z]{6,}-[0-9A-Za-z]{20,}",
    ),
    SecretRule::token("prefect-token", &["pnu_ "], r"(pnu_[0-9A-Za-z]{36})(?:[^0-9A-Za-z]|\z)"),
    SecretRule::token("octopus-key", &["API- "], r"(API-[0-9A-Z]{26})(?:[^0-9A-Za-z]|\z)"),
    // Observability.
    SecretRule::token(
        "grafana-token",
        &["glsa_ ", "glc_ "],
        r"glsa_[0-9A-Za-z]{32}_[0-9a-fA-F]{8}|glc_[0-9A-Za-z+/]{32,400}",
    ),
    SecretRule::token(
        "dynatrace-token",
        &["dt0c01. ", "dt0s16. "],
        r"dt0[cs][01][16]\.[0-9A-Z]{24}\.[0-9A-Z]{64}",
    ),
    SecretRule::token(
        "new-relic-key",
        &["NRAK- ", "NRII- "],
        r"(NRAK-[0-9A-Z]{27}|NRII-[\w-]{32})(?:[^0-9A-Za-z]|\z)",
    ),
    SecretRule::token(
        "sentry-token",
        &["sntryu_ ", "sntrys_ "],
        r"sntryu_[0-9a-f]{64}|sntrys_eyJ[\w=+/-]{80,}",
    ),
    SecretRule::token("postman-key", &["PMAK- "], r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    // Talk, mail, money, models.
    SecretRule::token(
        "slack-token",
        &["xoxb- ", "xoxp- ", "xoxa- ", "xoxr- ", "xoxs- ", "xoxe- ", "xoxe.xox "],
        r"xox[bparse](?:\.xox[bp])?-[0-9A-Za-z]{1,13}-[0-9A-Za-z-]{18,200}",
    ),
    SecretRule::token("slack-app-token", &["xapp- "], r"xapp-[0-9]-[0-9A-Z]+-[0-9]+-[0-9a-z]{32,}"),
    SecretRule::token(
        "slack-webhook",
        &["hooks.slack.com/ "],
        r"hooks\.slack\.com/(?:services|workflows|triggers)/([0-9A-Za-z+/]{43,56})",
    ),
    SecretRule::token("sendgrid-key", &["SG. "], r"SG\.[\w-]{22}\.[\w-]{43}"),
    SecretRule::token("brevo-key", &["xkeysib- "], r"xkeysib-[0-9a-f]{64}-[0-9A-Za-z]{16}"),
    SecretRule::token(
        "stripe-key",
        &["sk_live_ ", "rk_live_ ", "sk_test_ ", "rk_test_ ", "sk_prod_ "],
        r"([sr]k_(?:live|test|prod)_[0-9A-Za-z]{24,99})(?:[^0-9A-Za-z]|\z)",
    ),
    SecretRule::token(
        "shopify-token",
        &["shpat_ ", "shpca_ ", "shppa_ ", "shpss_ "],
        r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
    ),
    SecretRule::token("square-token", &["sq0atp- ", "sq0csp- "], r"sq0(?:atp|csp)-[\w-]{22,60}"),
    SecretRule::token(
        "shippo-token",
        &["shippo_live_ ", "shippo_test_ "],
        r"shippo_(?:live|test)_[0-9a-fA-F]{40}",
    ),
    SecretRule::token(
        "easypost-key",
        &["EZAK ", "EZTK "],
        r"(EZ[AT]K[0-9A-Za-z]{54})(?:[^0-9A-Za-z]|\z)",
    ),
    SecretRule::token(
        "openai-key",
        &["sk- "],
        r"sk-(?:(?:proj|svcacct|admin)-[\w-]{40,90})?[\w-]{0,90}T3BlbkFJ[\w-]{20,80}",
    ),
    SecretRule::token(
        "anthropic-key",
        &["sk-ant- "],
        r"sk-ant-(?:api|admin)[0-9]{2}-[\w-]{80,100}",
    ),
    SecretRule::token(
        "hugging-face-token",
        &["hf_ ", "api_org_ "],
        r"((?:hf|api_org)_[A-Za-z]{34})(?:[^0-9A-Za-z_]|\z)",
    ),
    SecretRule::token("perplexity-key", &["pplx- "], r"pplx-[0-9A-Za-z]{48}"),
    SecretRule::token("linear-key", &["lin_api_ "], r"lin_api_[0-9A-Za-z]{40}"),
    SecretRule::token(
        "notion-token",
        &["ntn_ "],
        r"(ntn_[0-9]{11}[0-9A-Za-z]{35})(?:[^0-9A-Za-z]|\z)",
    ),
    SecretRule::token("readme-key", &["rdme_ "], r"rdme_[0-9a-z]{70}"),
    SecretRule::token(
        "duffel-token",
        &["duffel_live_ ", "duffel_test_ "],
        r"duffel_(?:live|test)_[\w=-]{43}",
    ),
    SecretRule::token(
        "sourcegraph-token",
        &["sgp_ "],
        r"(sgp_(?:(?:[0-9a-f]{16}|local)_)?[0-9a-f]{40})(?:[^0-9A-Za-z]|\z)",
    ),
];
