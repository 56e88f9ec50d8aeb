//! Downloads over HTTP and HTTPS.

use std::path::Path;
use std::time::Duration;

use ureq::Agent;

use super::{BYTES_MAX, FetchError, write};

/// How long a server may take to be reached.
const CONNECT: Duration = Duration::from_secs(30);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(60);
/// How long everything may take: whoever waits for a task has given up by then.
const WHOLE: Duration = Duration::from_secs(60 * 60);

/// Downloads what is at `url`, after redirections.
pub(super) fn download(url: &str, to: &Path) -> Result<(), FetchError> {
    let config = Agent::config_builder()
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(ANSWER))
        .timeout_global(Some(WHOLE))
        .build();
    let failed = |error: ureq::Error| FetchError::Download(error.to_string());
    let mut response = Agent::new_with_config(config)
        .get(url)
        .call()
        .map_err(failed)?;
    let body = response.body_mut().with_config().limit(BYTES_MAX + 1);
    write(body.reader(), to)
}
