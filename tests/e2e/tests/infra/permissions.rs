//! Each function may do what it did in the story, and nothing else but what is excused here.

use std::collections::BTreeSet;

use autopgo_e2e::iam::{Grant, Need, needs, refused, unused};

use crate::deployment::{Deployment, Made};

/// What a function may do and did not in the story: whose, the action, how the resource ends, and why it must be.
const EXCUSED: &[(&str, &str, &str, &str)] = &[
    ("server", "logs:CreateLogStream", ":/aws/lambda/autopgo-server:*", LOGS),
    ("server", "logs:PutLogEvents", ":/aws/lambda/autopgo-server:*", LOGS),
    ("worker", "logs:CreateLogStream", ":/aws/lambda/autopgo-worker:*", LOGS),
    ("worker", "logs:PutLogEvents", ":/aws/lambda/autopgo-worker:*", LOGS),
    ("worker", "sqs:ReceiveMessage", ":autopgo-events.fifo", SOURCE),
    ("worker", "sqs:DeleteMessage", ":autopgo-events.fifo", SOURCE),
    ("worker", "sqs:GetQueueAttributes", ":autopgo-events.fifo", SOURCE),
    (
        "worker",
        "s3:DeleteObject",
        "/*/incoming/*",
        "The sweep removes what was put with a ticket and not completed once the store, by its own clock, has had it for a \
         day. No story waits that long; the tests of autopgo-core have a clock that does.",
    ),
];

const LOGS: &str =
    "Lambda's runtime writes what the function prints, in the function's name; the function calls nothing.";
const SOURCE: &str = "Lambda itself asks the queue of its event source, in the function's name.";

/// Compares what was asked through the recorders with the policies, and lists how often each permission was needed.
pub(crate) fn hold(deployment: &Deployment, made: &Made) {
    let mut wrong = Vec::new();
    let mut excused = BTreeSet::new();
    for (function, recorder) in [("server", &deployment.server), ("worker", &deployment.worker)] {
        let grants = &made.grants[function];
        let asked = recorder.asked();
        let calls: Vec<Need> = asked
            .iter()
            .flat_map(|asked| needs(asked).unwrap_or_else(|error| panic!("{function}: {error}")))
            .collect();
        for grant in grants {
            let times = calls.iter().filter(|need| grant.allows(need)).count();
            println!("{function}: {grant}: {times}");
        }
        let needs: BTreeSet<Need> = calls.into_iter().collect();
        wrong.extend(
            refused(grants, &needs).iter().map(|need| format!("{function} needs and may not: {need}")),
        );
        for grant in unused(grants, &needs) {
            match EXCUSED.iter().position(|excuse| excuses(excuse, function, grant)) {
                Some(number) => excused.extend([number]),
                None => wrong.push(format!("{function} may and did not: {grant}")),
            }
        }
    }
    // An excuse that nothing needs hides what is granted too much later.
    let spare = EXCUSED.iter().enumerate().filter(|(number, _)| !excused.contains(number));
    wrong.extend(
        spare.map(|(_, (function, action, end, _))| {
            format!("needs no excuse: {function}, {action} on …{end}")
        }),
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn excuses(excuse: &(&str, &str, &str, &str), function: &str, grant: &Grant) -> bool {
    let (whose, action, end, _) = *excuse;
    whose == function && action == grant.action && grant.resource.ends_with(end)
}
