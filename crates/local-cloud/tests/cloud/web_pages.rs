//! Web pages in a browser on this machine, which may know the keys: no service does anything for them.

use crate::client::{send_otherwise, serve};

/// A request for each service, and the service's own name of the refusal.
const SERVICES: [(&str, &str); 4] = [
    ("ecs", "AccessDeniedException"),
    ("logs", "AccessDeniedException"),
    ("ec2", "UnauthorizedOperation"),
    ("sts", "AccessDenied"),
];

#[tokio::test]
async fn a_page_whose_name_leads_here_starts_no_task_although_it_knows_the_keys() {
    let cloud = serve().await;
    let port = cloud.endpoint().rsplit(':').next().expect("a port").to_owned();
    for (service, code) in SERVICES {
        for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1"]
        {
            let host = format!("{host}:{port}");
            let origin = format!("origin: http://{host}\r\n");
            for headers in ["", &origin, "sec-fetch-site: same-origin\r\n"] {
                let answer = send_otherwise(&cloud.endpoint(), service, &host, headers).await;
                assert_eq!(answer.status, 403, "{service} {host} {headers}: {answer:?}");
                assert!(answer.text.contains(code), "{service}: {}", answer.text);
                assert!(answer.text.contains("evil.example") || host.starts_with("10."));
                assert!(!answer.headers.contains("access-control"), "{}", answer.headers);
            }
        }
    }
    assert_eq!(cloud.tasks().len(), 0);
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_page_of_another_site_starts_no_task_by_the_right_name() {
    let cloud = serve().await;
    let host = cloud.endpoint().replace("http://", "");
    for (service, code) in SERVICES {
        for headers in [
            "origin: https://evil.example\r\n",
            "origin: null\r\n",
            "sec-fetch-site: cross-site\r\n",
            "sec-fetch-site: same-site\r\n",
        ] {
            let answer = send_otherwise(&cloud.endpoint(), service, &host, headers).await;
            assert_eq!(answer.status, 403, "{service} {headers}: {answer:?}");
            assert!(answer.text.contains(code), "{service}: {}", answer.text);
        }
    }
    assert_eq!(cloud.tasks().len(), 0);
    cloud.shutdown().await;
}

#[tokio::test]
async fn programs_name_the_cloud_by_any_name_of_this_machine() {
    let cloud = serve().await;
    let port = cloud.endpoint().rsplit(':').next().expect("a port").to_owned();
    for host in ["127.0.0.1", "127.80.1.1", "localhost", "[::1]", "cloud.example"] {
        let host = format!("{host}:{port}");
        let answer = send_otherwise(&cloud.endpoint(), "ec2", &host, "").await;
        assert_eq!(answer.status, 200, "{host}: {answer:?}");
    }
    cloud.shutdown().await;
}
