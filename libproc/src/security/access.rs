//! What HTTP clients may do on the port of a node.

use std::net::IpAddr;

use super::{Rank, Scheme};

/// What HTTP clients may do that do not show that they belong to the cluster, by a certificate or,
/// where a secret is shared, by its token as `Authorization: Bearer TOKEN`. Those who do may do
/// anything.
///
/// The pages of a node are `/processes`, `/metrics`, `/metrics/snapshot` and `/help`; everything
/// else is answered by processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpAccess {
    /// Nothing. Usual with TLS: they do not get past its handshake.
    Members,
    /// Read the pages of the node, from its own machine. Usual with a shared secret.
    PagesOnLoopback,
    /// Read the pages of the node: for collectors of metrics that have neither.
    Pages,
    /// Anything. Usual without security; with TLS they still see whom they talk to.
    Anybody,
}

/// What is known of an HTTP client from its connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HttpClient {
    pub(crate) ip: IpAddr,
    /// What its certificate makes it.
    pub(crate) rank: Option<Rank>,
}

impl HttpAccess {
    /// Whether a client may have its request served.
    pub(crate) fn allows(
        self,
        client: HttpClient,
        scheme: &Scheme,
        reads_page: bool,
        authorization: Option<&str>,
    ) -> bool {
        let on_loopback = client.ip.to_canonical().is_loopback();
        let open = match self {
            HttpAccess::Members => false,
            HttpAccess::PagesOnLoopback => reads_page && on_loopback,
            HttpAccess::Pages => reads_page,
            HttpAccess::Anybody => true,
        };
        open || client.rank == Some(Rank::Member) || shows_token(scheme, authorization)
    }
}

fn shows_token(scheme: &Scheme, authorization: Option<&str>) -> bool {
    let Scheme::Secret(secret) = scheme else {
        return false;
    };
    let Some((kind, token)) = authorization.and_then(|text| text.split_once(' ')) else {
        return false;
    };
    let is_token = || {
        secret
            .keys
            .keys
            .iter()
            .any(|key| key.is_token(token.trim()))
    };
    kind.eq_ignore_ascii_case("bearer") && is_token()
}

#[cfg(test)]
mod tests {
    use super::super::{Keys, Security};
    use super::*;

    fn client(ip: &str, rank: Option<Rank>) -> HttpClient {
        let ip = ip.parse().expect("an address");
        HttpClient { ip, rank }
    }

    #[test]
    fn pages_are_for_the_machine_itself_or_for_all_and_delegates_are_nobody() {
        let scheme = Scheme::None;
        let (near, far) = (client("::ffff:127.0.0.1", None), client("10.0.0.1", None));
        let delegate = client("10.0.0.1", Some(Rank::Delegate));
        let member = client("10.0.0.1", Some(Rank::Member));
        for (access, pages, rest) in [
            (HttpAccess::Members, [false, false], false),
            (HttpAccess::PagesOnLoopback, [true, false], false),
            (HttpAccess::Pages, [true, true], false),
            (HttpAccess::Anybody, [true, true], true),
        ] {
            assert_eq!(
                [near, far].map(|who| access.allows(who, &scheme, true, None)),
                pages
            );
            for who in [near, far, delegate] {
                assert_eq!(access.allows(who, &scheme, false, None), rest, "{access:?}");
            }
            assert!(access.allows(member, &scheme, false, None));
        }
    }

    #[test]
    fn a_token_of_any_of_the_secrets_opens() {
        let keys = |keys: &[[u8; 32]]| Keys::from_bytes(keys).expect("long enough");
        let scheme = Security::secret(keys(&[[1; 32], [2; 32]])).scheme();
        let opens = |shown: &str| {
            HttpAccess::Members.allows(client("10.0.0.1", None), &scheme, false, Some(shown))
        };
        for key in [[1; 32], [2; 32]] {
            assert!(opens(&format!("Bearer {}", keys(&[key]).http_token())));
        }
        let token = keys(&[[3; 32]]).http_token();
        for wrong in [
            format!("Bearer {token}"),
            token,
            "Bearer".into(),
            "Basic x".into(),
        ] {
            assert!(!opens(&wrong), "{wrong}");
        }
    }
}
