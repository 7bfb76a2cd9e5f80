//! infra/aws applied by Terraform to an emulator of AWS, with the bootstraps that cargo-lambda made, used, held to what its
//! policies allow, planned again and destroyed.

#[path = "infra/deployment.rs"]
mod deployment;
#[path = "infra/permissions.rs"]
mod permissions;
#[path = "infra/story.rs"]
mod story;

use deployment::Deployment;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_applied_serves_is_allowed_what_it_does_and_leaves_nothing() {
    let Some(deployment) = Deployment::new().await else { return };
    let before = deployment.account.inventory().await;

    let made = deployment.apply().await;
    for (kind, there) in deployment.account.inventory().await {
        // An inventory that sees nothing would find nothing left, too. Of alarms there are none: MiniStack does not give them
        // back as they were made, and Terraform would change them again and again.
        assert!(kind == "alarms" || there.len() > before[kind].len(), "no {kind} of the module's is seen");
    }
    story::perform(&deployment, &made).await;
    assert!(!deployment.terraform.plan().await, "a second plan would change something");
    permissions::hold(&deployment, &made);

    deployment.terraform.destroy().await;
    assert_eq!(deployment.account.inventory().await, before, "something is left");
}
