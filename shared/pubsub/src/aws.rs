//! What the topics of SNS and the queues of SQS share.

pub(crate) mod client;
pub(crate) mod fail;

use autopgo_aws::access::Access;
use autopgo_core::address::Params;
use autopgo_core::error::Result;

/// What Go's SDK v1 takes and v2 does not, and what to do instead.
const OF_V1: [(&str, &str); 4] = [
    ("s3ForcePathStyle", "leave it out, it is for buckets"),
    ("s3_force_path_style", "leave it out, it is for buckets"),
    ("disableSSL", "write endpoint=http://HOST"),
    ("disable_ssl", "write endpoint=http://HOST"),
];

/// Takes the parameters of every service of Amazon. A repeated one counts the first time, as with gocloud.dev.
pub(crate) fn access(scheme: &str, params: Params) -> Result<(Access, Params)> {
    let mut params = params.first_wins();
    let access = Access::take(scheme, &mut params, &OF_V1)?;
    Ok((access, params))
}
