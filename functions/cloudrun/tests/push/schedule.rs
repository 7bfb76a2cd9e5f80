//! The sweep on a schedule.

use reqwest::Client;
use serde_json::{Value, json};

use crate::rig::{Store, Uploads, push_to, start, stop};

#[tokio::test]
async fn a_schedule_finds_what_nobody_told_of() {
    let store = Store::folder();
    let (mut uploads, worker) = (Uploads::on(&store).await, start("worker", &store).await);
    let client = Client::new();
    let nothing = push_to(&worker, |_| {});
    for (path, scheduler) in [("/sweep", None), ("/", Some("true"))] {
        uploads.next().await;
        let mut request = client.post(format!("{}{path}", worker.url)).body("whatever the schedule has");
        if let Some(value) = scheduler {
            request = request.header("X-CloudScheduler", value);
        }
        let answer = request.send().await.expect("answered");
        assert_eq!(answer.status(), 200);
        let swept: Value = answer.json().await.expect("JSON");
        let expected = json!({"merged": 1, "rejected": 0, "agedOut": 0, "failed": 0, "unfinished": false});
        assert_eq!(swept, expected);
        uploads.are_merged_once_by(&nothing).await;
        assert_eq!(store.staged(), 0);
    }
    // A header that says something else makes no schedule.
    let push = client.post(format!("{}/", worker.url)).header("X-CloudScheduler", "false").body("hello");
    assert_eq!(push.send().await.expect("answered").status(), 204);
    for (path, status) in [("/", 405), ("/sweep", 405), ("/nowhere", 404)] {
        let answer = client.get(format!("{}{path}", worker.url)).send().await.expect("answered");
        assert_eq!(answer.status(), status, "{path}");
        let failure: Value = answer.json().await.expect("JSON");
        assert_eq!(failure["code"], status);
    }
    stop(worker).await;
    uploads.stop().await;
}
